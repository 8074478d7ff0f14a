"""Guards, If-Match and the times of changes, against one order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from order_contracts.cloudevents import DeleteGuard
from order_contracts.derived_ids import version_tag
from order_runtime.documents.orders import LiveOrder
from order_writer.domain.decide import CommandRequest, decide
from order_writer.domain.preconditions import guard_matches, if_match_failure, is_stale
from support.builders.commands import (
    AT,
    FIRST_VERSION,
    change_delivery,
    change_status,
    register,
    replace_order,
    seconds_later,
)

TAG = version_tag("job-1")


def order() -> LiveOrder:
    state, _ = decide(None, CommandRequest(register(), "job-1", 1), AT)
    assert isinstance(state, LiveOrder)
    return state


@pytest.mark.parametrize(
    ("registration", "since", "matches"),
    [
        (None, None, True),
        ("job-1", None, True),
        ("job-2", None, False),
        (None, FIRST_VERSION, True),
        (None, FIRST_VERSION + 1, False),
        ("job-1", FIRST_VERSION, True),
        ("job-1", FIRST_VERSION + 1, False),
        ("job-2", FIRST_VERSION, False),
    ],
)
def test_a_guard_matches_where_all_that_it_names_does(
    registration: str | None, since: int | None, *, matches: bool
) -> None:
    assert guard_matches(DeleteGuard(registration, since), order()) is matches


@pytest.mark.parametrize(
    "wanted", [None, "*", f'"{TAG}"', f'"other", "{TAG}"', f'"{TAG}","other"', f'  "{TAG}"  ']
)
def test_if_match_lets_through_where_one_of_its_tags_is_the_orders(wanted: str | None) -> None:
    assert if_match_failure(wanted, order()) is None


@pytest.mark.parametrize("wanted", ["", '"other"', TAG, f'W/"{TAG}"', "*, *", f'"{TAG}" "other"'])
def test_if_match_refuses_where_none_is(wanted: str) -> None:
    failure = if_match_failure(wanted, order())
    assert failure is not None
    assert (failure.code, failure.status) == ("VersionMismatch", 412)


def test_each_aspect_has_a_time_of_its_own() -> None:
    """A replacement touches both, and the newer of them decides."""
    found = replace(order(), status_changed_at=AT, delivery_changed_at=seconds_later(10))
    between = seconds_later(5)
    assert not is_stale(found, change_status(at=between))
    assert is_stale(found, change_delivery(at=between))
    assert is_stale(found, replace_order(lastChangedAt=between.isoformat()))
    assert not is_stale(found, replace_order(lastChangedAt=seconds_later(10).isoformat()))
    assert not is_stale(found, replace_order())


def test_where_nobody_said_when_it_changed_nothing_is_stale() -> None:
    for command in (change_status(at=AT), change_delivery(at=AT)):
        assert not is_stale(order(), command)
