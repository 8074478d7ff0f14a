"""
Refuse a change that makes a stage dearer: `make bench-guard`.

    python -m bench.guard [--record]

A stage's CPU an item, of service and database, is compared with what a fixed piece of pure Python
costs on the same machine at the same time: so the committed ratios hold on other machines. A stage
that seems too dear is measured again, up to AGAIN times: what disturbs it makes it dearer, never
cheaper.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from bench.calibration import Calibration
from bench.contender import Contender
from bench.environment import environment
from bench.measurements import CPU
from bench.stages import accept, deliver, enrich, store

COMMITTED: Final = Path(__file__).with_name("guard.json")
ALLOWED: Final = 1.25
SCALE: Final = 0.25
ROUNDS: Final = 2
AGAIN: Final = 3
# A service is stopped once neither a stage nor one behind it needs it.
STAGES: Final = (deliver.STAGE, enrich.STAGE, store.STAGE, accept.STAGE)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-guard", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write the ratios to be committed")
    if parser.parse_args().record:
        ratios = dict(measured({}))
        COMMITTED.write_text(json.dumps(ratios, indent=1) + "\n")
        print(*(f"{name:8} {ratio:7.1f}" for name, ratio in ratios.items()), sep="\n")
        return 0
    committed: dict[str, float] = json.loads(COMMITTED.read_text())
    ratios = dict(measured(committed))
    print(*verdicts(ratios, committed), sep="\n")
    return 1 if any(too_dear(ratios[it], committed.get(it)) for it in ratios) else 0


def measured(committed: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Yield the name of each stage and its ratio, on one stack."""
    with environment(peers=False, scale=SCALE) as started:
        for at, stage in enumerate(STAGES):
            started.stop_all_but({name for later in STAGES[at:] for name in later.services})
            with stage.contenders(started) as (ours,):
                yield stage.name, confirmed(partial(ratio, ours), committed.get(stage.name))


def ratio(contender: Contender) -> float:
    """Return the CPU of an item, in thousandths of a run of the piece of work."""
    with Calibration() as calibration:
        costs = [contender.measure().figures[CPU] for _ in range(ROUNDS)]
    return round(median(costs) / calibration.seconds / 1e3, 1)


def confirmed(measure: Callable[[], float], committed: float | None) -> float:
    """Return what is measured; of what seems too dear the lowest of several measurements."""
    found = measure()
    for _ in range(AGAIN):
        if not too_dear(found, committed):
            break
        found = min(found, measure())
    return found


def too_dear(ratio: float, committed: float | None) -> bool:
    """Return whether *ratio* is more than is allowed; nothing is where none is committed."""
    return committed is not None and ratio > ALLOWED * committed


def verdicts(ratios: Mapping[str, float], committed: Mapping[str, float]) -> Sequence[str]:
    return [
        f"{name:8} {found:7.1f}, committed {committed.get(name, found):7.1f}: "
        + ("too dear" if too_dear(found, committed.get(name)) else "ok")
        for name, found in ratios.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
