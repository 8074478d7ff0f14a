"""A day of a shop through the whole system: exactly the figures that its makers computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.builders.generated_day import generate_day, write_files
from support.load.day_run import REAL_DAY, DayRun
from support.stack.running_stack import RunningStack

SEED = 20_101_201

pytestmark = pytest.mark.timeout(180)


def test_a_generated_day_ends_as_its_generator_says(stack: RunningStack, tmp_path: Path) -> None:
    """
    143 invoices of 1 to 592 lines, made from a seed; the same shape as the real day.
    """
    write_files(generate_day(SEED), tmp_path)

    run_day(DayRun(stack, tmp_path))


@pytest.mark.skipif(not REAL_DAY.exists(), reason="the real day lies beside the repository in CI")
def test_the_real_day_ends_as_expected(stack: RunningStack) -> None:
    """
    143 invoices, 3,108 lines of a UK shop on 1 December 2010.
    """
    run_day(DayRun(stack, REAL_DAY))


def run_day(day: DayRun) -> None:
    """Load the references, submit the orders, compare; then the contacts that were late."""
    day.load("contacts", "articles", "stores")

    summary = day.submit()

    day.assert_expected_before_late_contacts(summary)
    day.load("contacts-late")
    day.assert_expected_after_late_contacts()
