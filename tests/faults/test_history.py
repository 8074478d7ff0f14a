"""The whole system under a steady mixed load: every law of its history holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.builders import contact_body, matching, unique
from support.history import collect, quiet
from support.journal import Journal
from support.laws import check, told
from support.stack import RunningStack
from support.traffic import Mix, astray_of, everything_of, order_ids_of, run

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


@pytest.fixture
def mix(stack: RunningStack, tmp_path: Path) -> Mix:
    known = [contact_body() for _ in range(5)]
    file = tmp_path / "contacts.ndjson"
    file.write_text("".join(f"{json.dumps(it)}\n" for it in known))
    stack.orders("reference", "load", str(file))
    prefix = unique("load")
    return Mix(
        order_ids=order_ids_of(prefix, 100),
        contacts=[matching(it) for it in known],
        astray=astray_of(prefix, 12),
        seed=7,
    )


def test_a_quiet_day_breaks_no_law(stack: RunningStack, mix: Mix) -> None:
    """
    All calls, retries, duplicates and bad records, from clients and publishers at once.
    """
    journal = Journal()

    run(stack, mix, journal, seconds=15)

    quiet(stack, everything_of(mix))
    history = collect(stack, journal).of(everything_of(mix))
    assert len(history.calls) > 100
    assert len(history.publications) > 50
    violations = check(history)
    assert not violations, told(violations)
