"""The whole system under a steady mixed load: every law of its history holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.builders.bodies import contact_body, matching, unique
from support.laws.all_laws import check, report
from support.laws.history import GROUPS, READS, History, collect, quiet
from support.load.journal import Journal
from support.load.traffic import Mix, astray_of, everything_of, loading, order_ids_of
from support.model.canonical import digest, dump
from support.stack.groups import rewind
from support.stack.running_stack import RunningStack
from support.stack.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

CALLS = 150


@pytest.fixture
def mix(stack: RunningStack, tmp_path: Path) -> Mix:
    known = [contact_body() for _ in range(5)]
    file = tmp_path / "contacts.ndjson"
    file.write_text("".join(f"{json.dumps(it)}\n" for it in known))
    stack.orders("reference", "load", str(file))
    prefix = unique("load")
    return Mix(
        order_ids=order_ids_of(prefix, 50),
        contacts=[matching(it) for it in known],
        astray=astray_of(prefix, 12),
        seed=7,
    )


def test_a_day_that_is_done_twice_changes_nothing(stack: RunningStack, mix: Mix) -> None:
    """
    All calls, repeats and bad records at once; then every group begins again at offset 0.
    """
    journal = Journal()
    with loading(stack, mix, journal):
        until(enough(journal), seconds=120)
    once = at_rest(stack, mix, journal)

    for service in GROUPS:
        stack.kill(service)
    rewind(stack, READS)
    for service in GROUPS:
        stack.start(service)
    again = at_rest(stack, mix, journal)

    assert digest(dump(again.documents)) == digest(dump(once.documents))
    assert len(again.hooks) == len(once.hooks)


def test_a_day_on_which_every_service_is_killed_breaks_no_law(
    stack: RunningStack, mix: Mix
) -> None:
    journal = Journal()
    with loading(stack, mix, journal):
        for service in ("gateway", *GROUPS):
            until(enough(journal), seconds=120)
            with journal.fault(f"{service} is killed"):
                stack.kill(service)
                stack.start(service)
    at_rest(stack, mix, journal)


def enough(journal: Journal) -> Callable[[], bool]:
    """Return whether there were many more calls than now."""
    wanted = len(journal.calls) + CALLS
    return lambda: len(journal.calls) > wanted


def at_rest(stack: RunningStack, mix: Mix, journal: Journal) -> History:
    """Return the history of the load; every law of it holds."""
    quiet(stack, everything_of(mix))
    history = collect(stack, journal).of(everything_of(mix))
    violations = check(history)
    assert not violations, report(violations)
    return history
