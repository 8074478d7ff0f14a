"""All faults in turn under a steady load on a cluster, then all topics again from offset 0."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from support.builders.bodies import unique
from support.faults.cluster import FaultCluster, through_proxies
from support.faults.failure_artifacts import keep_failure_artifacts, save_differences
from support.faults.fault import Fault
from support.faults.fault_report import fault_lines, promise_lines
from support.faults.matrix import MATRIX
from support.faults.nemesis import Nemesis
from support.faults.network_faults import DISK, small_disk
from support.faults.offset_reset import all_groups_reset
from support.history.collector import collect, received_by_stack
from support.history.database_dump import database_dump
from support.history.quiescence import wait_until_quiet
from support.laws.all_laws import check, report
from support.laws.evidence import Evidence
from support.load.background_load import (
    LoadProfile,
    background_load,
    misrouted_order_ids,
    numbered_order_ids,
)
from support.load.contact_changes import contact_changes, load_contacts
from support.load.recovery_probe import PARTITIONS, RecoveryProbe
from support.stack.running_stack import CLUSTER_OPTIONS, RunningStack, running_stack

pytestmark = [pytest.mark.faults, pytest.mark.nemesis]

INTERVAL = 20.0  # seconds between faults when --minutes is given; otherwise there is no pause
SHORT = 8.0  # minutes, without --minutes
QUIET = 900.0  # seconds for the system to finish all open work
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
def options(request: pytest.FixtureRequest) -> tuple[str, ...]:
    secure: bool = request.config.getoption("secure")
    return (*CLUSTER_OPTIONS, "--secure") if secure else CLUSTER_OPTIONS


@pytest.fixture
def cluster(
    tmp_path: Path,
    options: tuple[str, ...],
    seed: int,
    minutes: float | None,
    summary: list[str],
) -> Iterator[FaultCluster]:
    data = tmp_path / "data"
    with ExitStack() as all_of_it:
        disk = all_of_it.enter_context(small_disk(data / DISK.replace("broker", "kafka")))
        up = running_stack(tmp_path / "home", *options, "--data", str(data), seconds=300)
        stack = all_of_it.enter_context(up)
        profile = _load_profile(stack, tmp_path, seed, minutes or SHORT)
        summary.append(f"seed {seed}{', secure' if stack.logins else ''}")
        cluster = FaultCluster(stack, profile, Random(seed), disk)
        yield cluster if stack.logins else all_of_it.enter_context(through_proxies(cluster))


def _load_profile(stack: RunningStack, folder: Path, seed: int, minutes: float) -> LoadProfile:
    """Return a load that two cores bear beside ten services, three brokers and three mongods."""
    each = max(10, round(1.5 * minutes))
    changes = contact_changes(each, merges=each // 2)
    prefix = unique("load")
    return LoadProfile(
        order_ids=numbered_order_ids(prefix, 300),
        contacts=load_contacts(stack, folder, 10, changes),
        misrouted=misrouted_order_ids(prefix, PARTITIONS),
        changes=changes,
        contact_interval=60 * minutes / changes.count,
        seed=seed,
        clients=3,
        publishers=2,
        pause=0.15,
    )


def test_nothing_is_lost_or_doubled_whatever_breaks(
    cluster: FaultCluster,
    matrix: Sequence[Fault],
    minutes: float | None,
    seed: int,
    summary: list[str],
) -> None:
    """
    When all groups are reset to offset 0 afterwards, no document changes and no webhook is sent.
    """
    stack, folder = cluster.stack, EVIDENCE / f"seed-{seed}"
    probe = RecoveryProbe(stack, cluster.journal, cluster.profile.contacts[0])
    nemesis = Nemesis(cluster, probe, interval=INTERVAL if minutes else 0.0)
    print(f"\nseed {seed}")
    with keep_failure_artifacts(folder, cluster):
        try:
            with background_load(stack, cluster.profile, cluster.journal):
                nemesis.run(matrix, 60 * (minutes or SHORT))
        finally:
            summary.extend(fault_lines(nemesis.results, nemesis.not_injected))
        wait_until_quiet(stack, seconds=QUIET)
        history = collect(stack, cluster.journal)
        violations = check(history)
        summary.extend(promise_lines(Evidence(history), violations))
        summary.append(
            f"parts that ended by themselves: {', '.join(cluster.unexpected_exits) or 'none'}"
        )
        assert not violations, report(violations)
        before, webhooks = database_dump(stack), len(history.webhooks)
        with all_groups_reset(cluster):
            pass
        wait_until_quiet(stack, seconds=QUIET)
        again = save_differences(before, database_dump(stack), folder)
        summary.append(f"changed by reading all again: {len(again)} lines of the database")
        assert not again, "\n".join(again[:20])
        assert len(received_by_stack(stack)) == webhooks
        assert not cluster.unexpected_exits
