"""Fourteen failures under load: of each a person is told the cause, and nothing that follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from order_operations.observability.causes import MACHINES
from order_operations.observability.prometheus import job_of
from support.faults.fault import NotInjected
from support.faults.planted_failures import (
    FAILURES,
    Patient,
    PlantedFailure,
    patient_cluster,
)
from support.harness.alertmanager_server import AlertmanagerServer, alertmanager_server
from support.harness.node_exporter import ALL_BUT_TMPFS, node_exporter
from support.harness.prometheus_server import DRILL, prometheus_server
from support.stack.running_stack import RunningStack
from support.stack.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.tools, pytest.mark.timeout(600)]

TOLD_SECONDS = 120.0
CLEAR_SECONDS = 300.0
HELD_SECONDS = 5.0  # in which nothing that follows is told, either


@dataclass(frozen=True, slots=True)
class Watched:
    patient: Patient
    alerts: AlertmanagerServer

    def becomes(self, names: set[str], seconds: float) -> None:
        """Wait until exactly these alerts are told, and stay so for a while."""

        def settled() -> bool:
            return self.alerts.told() == names and not self._changes(names)

        try:
            until(settled, seconds=seconds, of=f"the alerts {sorted(names)}")
        except AssertionError as error:
            raise AssertionError(f"{error}; told are {sorted(self.alerts.told())}") from error

    def _changes(self, names: set[str]) -> bool:
        try:
            return until(lambda: self.alerts.told() != names, seconds=HELD_SECONDS)
        except AssertionError:
            return False


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("drills")
    with (
        patient_cluster(folder) as patient,
        alertmanager_server(folder, DRILL) as alerts,
        node_exporter(folder, leaves_out=ALL_BUT_TMPFS) as machine,
        prometheus_server(
            folder, {**targets(patient.stack), MACHINES: [machine]}, alerts.address
        ) as prometheus,
    ):
        until(lambda: prometheus.is_ready() and alerts.is_ready(), of="Prometheus, Alertmanager")
        yield Watched(patient, alerts)


def targets(stack: RunningStack) -> Mapping[str, Sequence[str]]:
    """Return the addresses of the health ports, by job."""
    found: dict[str, list[str]] = {}
    for it in stack.status()["services"]:
        job = job_of(it["name"].rpartition("-")[0])
        found.setdefault(job, []).append(it["url"].removeprefix("http://"))
    return found


@pytest.mark.parametrize("failure", FAILURES, ids=lambda it: it.name)
def test_only_the_cause_is_told_and_afterwards_all_is_clear(
    watched: Watched, failure: PlantedFailure
) -> None:
    watched.becomes(set(), CLEAR_SECONDS)
    try:
        with failure.plant(watched.patient):
            watched.becomes({failure.alert}, TOLD_SECONDS)
    except NotInjected as reason:
        print(f"\n{failure.name}: not injected, {reason}")
        return
    watched.becomes(set(), CLEAR_SECONDS)
