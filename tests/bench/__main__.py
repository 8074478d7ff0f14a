"""
Measure Ordermill beside what users would take instead: `make bench`, see docs/performance.md.

    python -m bench [--rounds 5] [STAGE …]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.contender import Stage
from bench.environment import environment
from bench.measurements import Round
from bench.report.document import with_tables
from bench.report.picture import picture
from bench.report.results import Results
from bench.report.table import table
from bench.stages import accept, deliver, enrich, latency, observed, secure, store, whole

STAGES: Final = {it.STAGE.name: it.STAGE for it in (accept, store, enrich, deliver, whole, latency)}
ASKED_FOR: Final = {it.name: it for it in (*secure.STAGES, *observed.STAGES)}
"""Stages that are measured when they are named."""

RESULTS: Final = Path("bench-results.json")
DOCUMENT: Final = Path("docs/performance.md")
PICTURE: Final = Path("docs/performance.svg")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("stages", nargs="*", choices=[*STAGES, *ASKED_FOR, []], default=[])
    parser.add_argument("--rounds", type=int, default=5, help="of each contender, alternating")
    parser.add_argument("--scale", type=float, default=1.0, help="of all counts")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    results = Results.read(options.results)
    for name in options.stages or STAGES:
        began = time.monotonic()
        stage = (STAGES | ASKED_FOR)[name]
        rounds = list(measured(stage, options.rounds, options.scale))
        results = results.with_stage(stage, rounds)
        results.write(options.results)
        print(table(stage.what, rounds), flush=True)
        print(f"{time.monotonic() - began:.0f} s\n", flush=True)
    if options.results == RESULTS:
        show(results)


def measured(stage: Stage, rounds: int, scale: float) -> Iterator[Round]:
    """Yield rounds of all contenders in turn: what disturbs the machine disturbs all alike."""
    with environment(peers=True, scale=scale) as started:
        started.stop_all_but(stage.services)
        with stage.contenders(started) as contenders:
            for _ in range(rounds):
                for contender in contenders:
                    yield contender.measure()


def show(results: Results) -> None:
    """Write the picture, and the tables of docs/performance.md."""
    PICTURE.write_text(picture(results.stages))
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(), results.stages))


if __name__ == "__main__":
    main()
