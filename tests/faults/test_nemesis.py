"""Everything breaks in turn under a steady load, on a cluster; then everything is read again."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from support.builders.bodies import contact_body, matching, unique
from support.faults.cluster import FaultCluster, through_proxies
from support.faults.failure_artifacts import differing, failure_artifacts
from support.faults.fault import Fault
from support.faults.fault_report import faults, promises
from support.faults.matrix import MATRIX
from support.faults.nemesis import Nemesis
from support.faults.network import DISK, small_disk
from support.faults.rewinding import rewound
from support.laws.all_laws import check, report
from support.laws.evidence import Evidence
from support.laws.history import collect, hooks_of, quiet, stored_dump
from support.load.probe import PARTITIONS, Probe
from support.load.traffic import Mix, astray_of, loading, order_ids_of
from support.stack.running_stack import CLUSTER, RunningStack, running

pytestmark = [pytest.mark.faults, pytest.mark.nemesis]

EVERY = 20.0  # seconds from one fault to the next where the length was chosen; else without a pause
SHORT = 8.0  # minutes
QUIET = 900.0  # seconds in which all that is left is done
EVIDENCE = Path("build") / "faults"


@pytest.fixture
def minutes(request: pytest.FixtureRequest) -> float | None:
    chosen: float | None = request.config.getoption("minutes")
    return chosen


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    chosen: int | None = request.config.getoption("seed")
    return secrets.randbelow(1_000_000) if chosen is None else chosen


@pytest.fixture
def matrix(request: pytest.FixtureRequest) -> Sequence[Fault]:
    wanted: list[str] = request.config.getoption("fault").split(",")
    return [it for it in MATRIX if any(part in it.name for part in wanted)]


@pytest.fixture
def scene(
    tmp_path: Path, seed: int, minutes: float | None, summary: list[str]
) -> Iterator[FaultCluster]:
    data = tmp_path / "data"
    with ExitStack() as all_of_it:
        disk = all_of_it.enter_context(small_disk(data / DISK.replace("broker", "kafka")))
        up = running(tmp_path / "home", *CLUSTER, "--data", str(data), seconds=300)
        stack = all_of_it.enter_context(up)
        mix = _mix(stack, tmp_path / "contacts.ndjson", seed, minutes or SHORT)
        summary.append(f"seed {seed}")
        yield all_of_it.enter_context(through_proxies(FaultCluster(stack, mix, Random(seed), disk)))


def _mix(stack: RunningStack, file: Path, seed: int, minutes: float) -> Mix:
    """Return a load that two cores bear beside ten services, three brokers and three mongods."""
    known = [contact_body() for _ in range(10)]
    coming, leaving = ([contact_body() for _ in range(passing_in(minutes))] for _ in range(2))
    file.write_text("".join(f"{json.dumps(it)}\n" for it in (*known, *leaving)))
    stack.orders("reference", "load", str(file))
    prefix = unique("load")
    return Mix(
        order_ids=order_ids_of(prefix, 300),
        contacts=[matching(it) for it in known],
        astray=astray_of(prefix, PARTITIONS),
        coming=coming,
        leaving=leaving,
        turn=60 * minutes / (2 * passing_in(minutes)),
        seed=seed,
        clients=3,
        publishers=2,
        pause=0.15,
    )


def passing_in(minutes: float) -> int:
    """Return how many contacts come, and as many are erased: each while some orders name it."""
    return max(10, round(1.5 * minutes))


def test_nothing_is_lost_or_doubled_whatever_breaks(
    scene: FaultCluster,
    matrix: Sequence[Fault],
    minutes: float | None,
    seed: int,
    summary: list[str],
) -> None:
    """
    And when all consumers read everything again, nothing changes and nobody is told anything.
    """
    stack, folder = scene.stack, EVIDENCE / f"seed-{seed}"
    probe = Probe(stack, scene.journal, scene.mix.contacts[0])
    nemesis = Nemesis(scene, probe, every=EVERY if minutes else 0.0)
    print(f"\nseed {seed}")
    with failure_artifacts(folder, scene):
        try:
            with loading(stack, scene.mix, scene.journal):
                nemesis.strike(matrix, 60 * (minutes or SHORT))
        finally:
            summary.extend(faults(nemesis.struck, nemesis.spared))
        quiet(stack, seconds=QUIET)
        history = collect(stack, scene.journal)
        violations = check(history)
        summary.extend(promises(Evidence(history), violations))
        summary.append(f"parts that ended by themselves: {', '.join(scene.fallen) or 'none'}")
        assert not violations, report(violations)
        before, hooks = stored_dump(stack), len(history.hooks)
        with rewound(scene):
            pass
        quiet(stack, seconds=QUIET)
        again = differing(before, stored_dump(stack), folder)
        summary.append(f"changed by reading all again: {len(again)} lines of the database")
        assert not again, "\n".join(again[:20])
        assert len(hooks_of(stack)) == hooks
        assert not scene.fallen
