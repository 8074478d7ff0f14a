"""What a change keeps of an order, and what it notes: who, when, since when, and how large."""

from __future__ import annotations

from typing import Any

import pytest

from order_contracts.commands import Command, RegisterOrder
from order_runtime.documents.orders import LiveOrder
from order_writer.domain.decide import MAX_GROWTH, MAX_ORDER_BYTES, CommandRequest, decide
from support.builders.bodies import line
from support.builders.commands import (
    AT,
    FIRST_VERSION,
    change_delivery,
    change_status,
    delete,
    register,
    replace_order,
    seconds_later,
)

FIRST = FIRST_VERSION + 1_000
"""The version of an order's registration, a second later."""
FREE = {"a": "x" * 16_000}
ANN, BOB = ({"matchKey": name, "matchKeyType": "ContactId"} for name in ("ann", "bob"))


def decided(*commands: Command, size: int = 1) -> LiveOrder:
    """Return the order after *commands*: the one numbered n is job-n, n seconds later."""
    state: Any = None
    for number, command in enumerate(commands, start=1):
        request = CommandRequest(command, f"job-{number}", size)
        state, outcome = decide(state, request, seconds_later(number))
        assert outcome.failure is None
    assert isinstance(state, LiveOrder)
    return state


def test_a_registration_notes_its_job_and_its_time() -> None:
    order = decided(register())
    assert (order.version, order.contact_version, order.contact_since) == (FIRST, FIRST, FIRST)
    assert (order.job_id, order.registered_by) == ("job-1", "job-1")
    assert {order.registered_at, order.updated_at, order.contact_since_at} == {seconds_later(1)}
    assert (order.status_changed_at, order.delivery_changed_at) == (None, None)


def test_a_change_notes_its_job_and_its_time_and_keeps_the_registrations() -> None:
    order = decided(register(), change_status())
    assert (order.version, order.job_id, order.updated_at) == (FIRST + 1, "job-2", seconds_later(2))
    assert (order.registered_by, order.registered_at) == ("job-1", seconds_later(1))


@pytest.mark.parametrize(
    ("commands", "since"),
    [
        ([register()], None),
        ([register(status="Cancelled")], FIRST),
        ([register(), change_status(status="Cancelled")], FIRST + 1),
        ([register(), change_status(status="Cancelled"), change_delivery()], FIRST + 1),
        (
            [register(), change_status(status="Cancelled"), change_status(status="Cancelled")],
            FIRST + 1,
        ),
        ([register(status="Cancelled"), replace_order(status="Cancelled")], FIRST),
        ([register(status="Cancelled"), replace_order()], None),
        ([register(status="Cancelled"), change_status()], None),
        ([register(), replace_order(status="Cancelled")], FIRST + 1),
        ([register(status="Cancelled"), delete(), register(status="Cancelled")], FIRST + 2_000),
    ],
)
def test_since_when_an_order_is_cancelled(commands: list[Command], since: int | None) -> None:
    """The version that cancelled it: what was held before that one isn't to happen."""
    assert decided(*commands).cancelled_since == since


def test_a_contact_counts_from_the_command_that_named_it_first() -> None:
    kept = decided(register(contact=ANN), replace_order(contact=ANN), change_status())
    assert (kept.contact_version, kept.contact_since) == (FIRST + 1, FIRST)
    assert kept.contact_since_at == seconds_later(1)
    other = decided(register(contact=ANN), replace_order(contact=BOB), change_status())
    assert (other.contact_version, other.contact_since) == (FIRST + 1, FIRST + 1)
    assert other.contact_since_at == seconds_later(2)


def test_a_change_brings_the_order_its_time() -> None:
    for command in (change_status(at=AT), change_delivery(at=AT)):
        assert decided(register(), command).order.last_changed_at == "2025-11-28T12:00:00Z"


def test_a_delivery_is_begun_where_there_is_none() -> None:
    delivery = decided(register(), change_delivery(delivery={"method": "Post"})).order.delivery
    assert delivery is not None
    assert delivery.method == "Post"


def test_the_size_of_an_order_is_bounded_by_what_was_sent() -> None:
    """A replacement brings all of it, a change adds to it."""
    assert decided(register(), size=10).size == 10
    assert decided(register(), change_status(), change_delivery(), size=10).size == 30
    assert decided(register(), change_status(), replace_order(), size=10).size == 10


def test_an_order_is_measured_only_where_the_bound_leaves_a_doubt() -> None:
    """Measuring serialises it, which costs more than all else."""
    bound = MAX_ORDER_BYTES // MAX_GROWTH
    assert decided(register(), size=bound).size == bound
    assert decided(register(), size=bound + 1).size < 1_000


@pytest.mark.parametrize(("over", "code"), [(0, None), (1, "TooLarge")])
def test_an_order_may_have_exactly_the_most_bytes(over: int, code: str | None) -> None:
    def filled(length: int) -> RegisterOrder:
        lines = [line(sku="s", extraData=FREE)] * 48
        rest = line(sku="s", extraData={"a": "x" * length})
        return register(contact=ANN, lines=[*lines, rest])

    command = filled(MAX_ORDER_BYTES - len(filled(0).to_json()) + over)
    assert len(command.to_json()) == MAX_ORDER_BYTES + over
    _, outcome = decide(None, CommandRequest(command, "job-1", MAX_ORDER_BYTES), AT)
    assert (outcome.failure.code if outcome.failure else None) == code
