"""The real day while enrichers are killed, and while late contacts come."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.load.day_run import REAL_DAY, DayRun
from support.stack.running_stack import CLUSTER_OPTIONS, RunningStack, running_stack
from support.stack.wait import until

ENRICHERS = ("enricher-1", "enricher-2")

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not REAL_DAY.exists(), reason="the real day lies beside the repository"),
]


@pytest.fixture
def real_day(tmp_path: Path) -> Iterator[DayRun]:
    """The real day on a stack of its own, with two enrichers."""
    with running_stack(tmp_path, "--enrichers", "2") as stack:
        yield DayRun(stack, REAL_DAY)


@pytest.fixture
def secure_day(tmp_path: Path) -> Iterator[DayRun]:
    """The real day on a cluster with TLS, a login for each workload and no right too many."""
    with running_stack(tmp_path, *CLUSTER_OPTIONS, "--secure", seconds=300) as stack:
        yield DayRun(stack, REAL_DAY)


def test_on_a_secure_cluster(secure_day: DayRun) -> None:
    secure_day.load("contacts", "articles", "stores")
    secure_day.assert_expected_before_late_contacts(secure_day.submit())
    secure_day.load("contacts-late")
    secure_day.assert_expected_after_late_contacts()


def test_both_enrichers_killed_in_the_middle(real_day: DayRun) -> None:
    """Twice: while the orders are submitted, and while the late contacts are loaded."""
    real_day.load("contacts", "articles", "stores")
    with ThreadPoolExecutor(1) as pool:
        submitting = pool.submit(real_day.submit)
        until(lambda: sum(real_day.enrichments().values()) > 10, of="the first of the orders")
        killed_and_started(real_day.stack)
        summary = submitting.result()
    real_day.assert_expected_before_late_contacts(summary)

    with ThreadPoolExecutor(1) as pool:
        for enricher in ENRICHERS:
            real_day.stack.kill(enricher, "STOP")
        loading = pool.submit(real_day.load, "contacts-late")
        killed_and_started(real_day.stack)
        loading.result()
    real_day.assert_expected_after_late_contacts()


def test_late_contacts_that_come_while_the_orders_are_submitted(real_day: DayRun) -> None:
    """Everything ends as if the contacts had come afterwards."""
    real_day.load("contacts", "articles", "stores")
    with ThreadPoolExecutor(1) as pool:
        submitting = pool.submit(real_day.submit)
        until(lambda: sum(real_day.enrichments().values()) > 10, of="the first of the orders")
        real_day.load("contacts-late")
        summary = submitting.result()

    assert summary["accepted"] == real_day.expected["orders"]
    real_day.assert_expected_after_late_contacts()


def killed_and_started(stack: RunningStack) -> None:
    for enricher in ENRICHERS:
        stack.kill(enricher)
    for enricher in ENRICHERS:
        stack.start(enricher)
