"""
What one more item costs once much is stored: `make bench STAGE=growth`.

    PYTHONPATH=tests .venv/bin/python -m bench.growth [--scale 0.1] [SCENARIO …]

It starts a stack of its own for each scenario. CPU is that of the four services and of mongod, by
their processes' own counters, divided by the items of a block; what they spend while idle is taken
off. Rates of a shared machine are noise; these are not.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.growth.growing_stack import Growth
from bench.growth.scenarios import SCENARIOS
from support.stack.running_stack import running_stack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", choices=[*SCENARIOS, []], default=[])
    parser.add_argument("--scale", type=float, default=1.0, help="of all counts")
    asked = parser.parse_args()
    print(f"{'':58} {'first':>9} {'last':>9}")
    for name in asked.scenario or SCENARIOS:
        with (
            tempfile.TemporaryDirectory() as home,
            running_stack(Path(home), seconds=300) as stack,
        ):
            for row in SCENARIOS[name](Growth(stack, asked.scale)):
                print(row, flush=True)


if __name__ == "__main__":
    main()
