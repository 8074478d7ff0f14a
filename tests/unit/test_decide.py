"""Every command in every state of an order: what it makes, or why it is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from order_contracts.cloudevents import DeleteGuard
from order_contracts.commands import Command, RegisterOrder
from order_contracts.derived_ids import version_tag
from order_runtime.documents.orders import LiveOrder, Tombstone
from order_writer.domain.decide import (
    MAX_ORDER_BYTES,
    CommandOutcome,
    CommandRequest,
    OrderState,
    decide,
)
from support.builders.bodies import Json, line
from support.builders.commands import (
    AT,
    FIRST_VERSION,
    change_delivery,
    change_status,
    delete,
    register,
    replace_order,
    seconds_later,
    trigger_action,
)

ACTION = {"action": "ConfirmOrder"}


def asked(command: Command, job_id: str = "job", **more: Any) -> CommandRequest:
    return CommandRequest(command, job_id, size=len(command.to_json()), **more)


def after(state: OrderState, *commands: Command, now: datetime = AT) -> OrderState:
    """Return what *commands*, none of which may fail, make of *state*."""
    for number, command in enumerate(commands):
        state, outcome = decide(state, asked(command, f"before-{number}"), now)
        assert outcome.failure is None
    return state


def code(outcome: CommandOutcome) -> str | None:
    return outcome.failure.code if outcome.failure else None


def live(state: OrderState) -> LiveOrder:
    assert isinstance(state, LiveOrder)
    return state


def tag(state: OrderState) -> str:
    return version_tag(live(state).job_id)


STATES: Mapping[str, OrderState] = {
    "absent": None,
    "present": after(None, register()),
    "deleted": after(None, register(), delete()),
    "again": after(None, register(), delete(), register()),
}
COMMANDS: Mapping[str, Callable[[OrderState], Command]] = {
    "register": lambda _: register(),
    "replace": lambda _: replace_order(),
    "delete": lambda _: delete(),
    "status": lambda _: change_status(),
    "delivery": lambda _: change_delivery(),
    "action": lambda state: trigger_action(tag(state) if isinstance(state, LiveOrder) else "none"),
}
TABLE: Mapping[tuple[str, str], str | int | None] = {
    ("register", "absent"): 0,
    ("register", "present"): "OrderExists",
    ("register", "deleted"): 2,
    ("register", "again"): "OrderExists",
    ("replace", "absent"): "OrderNotFound",
    ("replace", "present"): 1,
    ("replace", "deleted"): "OrderNotFound",
    ("replace", "again"): 3,
    ("delete", "absent"): "OrderNotFound",
    ("delete", "present"): 1,
    ("delete", "deleted"): "OrderNotFound",
    ("delete", "again"): 3,
    ("status", "absent"): "OrderNotFound",
    ("status", "present"): 1,
    ("status", "deleted"): "OrderNotFound",
    ("status", "again"): 3,
    ("delivery", "absent"): "OrderNotFound",
    ("delivery", "present"): 1,
    ("delivery", "deleted"): "OrderNotFound",
    ("delivery", "again"): 3,
    ("action", "absent"): "OrderNotFound",
    ("action", "present"): None,
    ("action", "deleted"): "OrderNotFound",
    ("action", "again"): None,
}
"""The version that is made, from FIRST_VERSION on, None by an action; or the failure's code."""


@pytest.mark.parametrize(("command", "state"), TABLE)
def test_every_command_in_every_state(command: str, state: str) -> None:
    before = STATES[state]
    _, outcome = decide(before, asked(COMMANDS[command](before)), AT)
    made = outcome.version if outcome.version is None else outcome.version - FIRST_VERSION
    assert (code(outcome) or made) == TABLE[command, state]


@pytest.mark.parametrize(("command", "state"), TABLE)
def test_what_fails_or_makes_no_version_changes_nothing(command: str, state: str) -> None:
    """The order is the very same, so that nothing is written."""
    before = STATES[state]
    next_state, outcome = decide(before, asked(COMMANDS[command](before)), AT)
    assert (next_state is before) == (outcome.version is None)


@pytest.mark.parametrize("command", ["replace", "status", "delivery"])
def test_every_applied_change_makes_a_new_version_tag(command: str) -> None:
    before = STATES["present"]
    changed, _ = decide(before, asked(COMMANDS[command](before), "job-2"), seconds_later(5))
    assert tag(changed) == version_tag("job-2") != tag(before)
    assert live(changed).updated_at == seconds_later(5)


@pytest.mark.parametrize("command", ["replace", "status", "delivery"])
def test_when_an_order_was_registered_and_by_whom_is_fixed(command: str) -> None:
    """Pages are sorted by it, and a 409 names its owner."""
    before = STATES["present"]
    changed, _ = decide(before, asked(COMMANDS[command](before), "job-2"), seconds_later(5))
    assert live(changed).registered_at == live(before).registered_at
    assert live(changed).registered_by == live(before).registered_by


def test_an_action_that_is_suppressed_is_not_asked_for() -> None:
    """History is imported whole, and mails nobody again."""
    before = STATES["present"]
    act = replace(asked(trigger_action(tag(before)), "job-2"), suppress_actions=True)
    assert decide(before, act, AT) == (before, CommandOutcome())


def test_versions_go_on_over_a_deletion() -> None:
    """So an event of the deleted order is never taken for one of the new."""
    assert STATES["deleted"] == Tombstone(FIRST_VERSION + 1, AT)
    again = live(STATES["again"])
    assert (again.version, again.contact_version) == (FIRST_VERSION + 2, FIRST_VERSION + 2)


def test_versions_go_on_over_a_deletion_whose_tombstone_has_expired() -> None:
    """The sixty days later, nothing is left that could say how far they were."""
    deleted = after(STATES["present"], *[change_status() for _ in range(1_000)], delete())

    again = live(after(None, register(), now=AT + timedelta(days=60)))

    assert isinstance(deleted, Tombstone)
    assert again.version > deleted.version
    assert (again.contact_version, again.contact_since) == (again.version, again.version)


@pytest.mark.parametrize(
    ("before", "first"),
    [
        (None, FIRST_VERSION),
        (Tombstone(7, AT), FIRST_VERSION),
        (Tombstone(FIRST_VERSION + 41, AT), FIRST_VERSION + 42),
    ],
)
def test_a_life_begins_at_the_append_time_or_after_the_tombstone(
    before: OrderState, first: int
) -> None:
    assert live(after(before, register())).version == first


def test_the_refusal_names_the_job_that_owns_the_order() -> None:
    _, outcome = decide(STATES["present"], asked(register(), "job-2"), AT)
    assert outcome.failure is not None
    assert (outcome.failure.status, "before-0" in outcome.failure.detail) == (409, True)


def test_a_replacement_is_whole() -> None:
    before = after(None, register(channel="web", delivery={"method": "Post"}))
    replaced = live(after(before, replace_order(channel="app")))
    assert (replaced.order.channel, replaced.order.delivery) == ("app", None)


def test_only_registering_and_replacing_ask_for_the_contact_again() -> None:
    """A link counts while it carries this version."""
    before = live(STATES["present"])
    assert live(after(before, change_status(), change_delivery())).contact_version == FIRST_VERSION
    assert live(after(before, replace_order())).contact_version == FIRST_VERSION + 1


def test_the_contact_lasts_until_another_one_is_named() -> None:
    """
    A replacement that names the same contact takes its order from nobody's list.
    """
    contact = {"matchKey": "a", "matchKeyType": "Email"}
    before = after(None, register(contact=contact))

    same = live(after(before, replace_order(contact=contact)))
    other = live(after(before, replace_order()))

    assert (same.contact_version, same.contact_since) == (FIRST_VERSION + 1, FIRST_VERSION)
    assert (other.contact_version, other.contact_since) == (FIRST_VERSION + 1, FIRST_VERSION + 1)


def test_an_external_status_that_is_absent_stays() -> None:
    before = after(None, register(externalStatus="packed"))
    assert live(after(before, change_status())).order.external_status == "packed"
    assert live(after(before, change_status(externalStatus=""))).order.external_status == ""


def test_in_a_delivery_absent_stays_and_null_clears() -> None:
    before = after(None, register(delivery={"method": "Post", "trackingNumber": "1"}))
    given = {"trackingNumber": None, "deliveryDate": "2026-01-01"}
    delivery = live(after(before, change_delivery(delivery=given))).order.delivery
    assert delivery is not None
    assert (delivery.method, delivery.tracking_number) == ("Post", None)
    assert delivery.delivery_date == "2026-01-01"


@pytest.mark.parametrize("command", ["replace", "delete", "status", "delivery"])
def test_if_match_lets_through_the_version_that_it_names(command: str) -> None:
    before = STATES["present"]
    for wanted in ("*", f'"{tag(before)}"'):
        _, outcome = decide(before, asked(COMMANDS[command](before), if_match=wanted), AT)
        assert outcome.version == FIRST_VERSION + 1


@pytest.mark.parametrize("command", ["replace", "delete", "status", "delivery"])
@pytest.mark.parametrize("wanted", ['"another"', "", "unquoted", 'W/"{tag}"', "{tag}"])
def test_if_match_refuses_any_other_version(command: str, wanted: str) -> None:
    before = STATES["present"]
    named = wanted.replace("{tag}", tag(before))
    next_state, outcome = decide(before, asked(COMMANDS[command](before), if_match=named), AT)
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.status) == ("VersionMismatch", 412)
    assert next_state is before


@pytest.mark.parametrize("wanted", ["*", '"any"'])
@pytest.mark.parametrize("command", ["replace", "delete", "status", "delivery"])
def test_an_order_that_is_not_there_is_not_found_whatever_if_match_says(
    command: str, wanted: str
) -> None:
    _, outcome = decide(None, asked(COMMANDS[command](None), if_match=wanted), AT)
    assert code(outcome) == "OrderNotFound"


def test_a_tag_of_the_former_life_does_not_match() -> None:
    """The order was deleted and registered again; the caller saw the first."""
    former, again = STATES["present"], after(STATES["deleted"], register())
    again = replace(live(again), job_id="other")
    _, outcome = decide(again, asked(delete(), if_match=f'"{tag(former)}"'), AT)
    assert code(outcome) == "VersionMismatch"


def test_an_action_for_a_version_that_is_gone_is_404() -> None:
    """As the documents say, though it is the code of a 412 elsewhere."""
    _, outcome = decide(STATES["present"], asked(trigger_action("gone")), AT)
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.status) == ("VersionMismatch", 404)


def test_an_action_changes_no_version() -> None:
    before = STATES["present"]
    next_state, outcome = decide(before, asked(trigger_action(tag(before))), AT)
    assert next_state is before
    assert outcome.action is not None


STALE: Mapping[str, tuple[Command, Command, bool]] = {
    "an older status": (
        change_status(at=seconds_later(0)),
        change_status(at=seconds_later(-1)),
        True,
    ),
    "an equal status": (
        change_status(at=seconds_later(0)),
        change_status(at=seconds_later(0)),
        False,
    ),
    "a newer status": (
        change_status(at=seconds_later(0)),
        change_status(at=seconds_later(1)),
        False,
    ),
    "an older delivery": (
        change_delivery(at=seconds_later(0)),
        change_delivery(at=seconds_later(-1)),
        True,
    ),
    "another aspect": (
        change_status(at=seconds_later(0)),
        change_delivery(at=seconds_later(-1)),
        False,
    ),
    "the other aspect": (
        change_delivery(at=seconds_later(0)),
        change_status(at=seconds_later(-1)),
        False,
    ),
    "a put older than a status": (
        change_status(at=seconds_later(0)),
        replace_order(lastChangedAt=seconds_later(-1).isoformat()),
        True,
    ),
    "a put older than a delivery": (
        change_delivery(at=seconds_later(0)),
        replace_order(lastChangedAt=seconds_later(-1).isoformat()),
        True,
    ),
    "a put without a time": (change_status(at=seconds_later(0)), replace_order(), False),
    "a status older than a put": (
        replace_order(lastChangedAt=seconds_later(0).isoformat()),
        change_status(at=seconds_later(-1)),
        True,
    ),
    "a delivery older than a put": (
        replace_order(lastChangedAt=seconds_later(0).isoformat()),
        change_delivery(at=seconds_later(-1)),
        True,
    ),
}


@pytest.mark.parametrize(("first", "second", "stale"), STALE.values(), ids=STALE)
def test_a_change_is_stale_where_it_is_older_than_its_aspect(
    first: Command, second: Command, *, stale: bool
) -> None:
    before = after(STATES["present"], first)
    next_state, outcome = decide(before, asked(second), AT)
    assert [warning.code for warning in outcome.warnings] == ["StaleChange"] * stale
    assert (outcome.failure, outcome.version is None) == (None, stale)
    assert (next_state is before) == stale


@pytest.mark.parametrize(
    "late", [change_status(at=seconds_later(-1)), change_delivery(at=seconds_later(-1))]
)
def test_a_registration_dates_both_aspects(late: Command) -> None:
    before = after(None, register(lastChangedAt=seconds_later(0).isoformat()))
    _, outcome = decide(before, asked(late), AT)
    assert [warning.code for warning in outcome.warnings] == ["StaleChange"]


@pytest.mark.parametrize("change", [change_status, change_delivery])
def test_a_put_without_a_time_keeps_the_times_of_the_aspects(
    change: Callable[..., Command],
) -> None:
    """Else an old change that arrives after it would be applied."""
    before = after(STATES["present"], change(at=seconds_later(0)), replace_order())
    _, outcome = decide(before, asked(change(at=seconds_later(-1))), AT)
    assert outcome.version is None


def test_a_stale_change_fires_no_action() -> None:
    before = after(STATES["present"], change_status(at=seconds_later(0)))
    _, outcome = decide(before, asked(change_status(at=seconds_later(-1), orderAction=ACTION)), AT)
    assert outcome.action is None


def test_if_match_overrules_the_time() -> None:
    """Who names the version has seen what would be overtaken."""
    before = after(STATES["present"], change_status(at=seconds_later(0)))
    named = asked(change_status(at=seconds_later(-1)), if_match=f'"{tag(before)}"')
    assert decide(before, named, AT)[1].version == FIRST_VERSION + 2


@pytest.mark.parametrize(
    "command",
    [
        register(orderAction=ACTION),
        replace_order(orderAction=ACTION),
        change_status(orderAction=ACTION),
        change_delivery(orderAction=ACTION),
    ],
    ids=lambda command: type(command).__name__,
)
def test_an_embedded_action_fires_unless_it_is_suppressed(command: Command) -> None:
    before = None if isinstance(command, RegisterOrder) else STATES["present"]
    fired = decide(before, asked(command), AT)[1].action
    assert fired is not None
    assert fired.action == "ConfirmOrder"
    assert decide(before, asked(command, suppress_actions=True), AT)[1].action is None


def test_a_refused_command_fires_no_action() -> None:
    _, outcome = decide(STATES["present"], asked(register(orderAction=ACTION)), AT)
    assert (code(outcome), outcome.action) == ("OrderExists", None)


RETURN = line(type="Return", totalPrice=4)
TOTALS: Mapping[str, tuple[dict[str, Any], bool]] = {
    "they add up": ({}, False),
    "a cent off": ({"totalPrice": 9.91}, False),
    "two cents off": ({"totalPrice": 9.92}, True),
    "a return counts against": ({"lines": [line(), RETURN], "totalPrice": 5.9}, False),
    "fees count": ({"fees": {"total": 5}, "totalPrice": 14.9}, False),
    "discounts count against": ({"discounts": {"total": 5}, "totalPrice": 4.9}, False),
    "payments don't count": ({"payments": {"total": 5}}, False),
    "a right sub-total": (
        {"lineItems": {"items": [line()], "subTotal": 9.9}, "totalPrice": 9.9},
        False,
    ),
    "a sub-total a cent off": (
        {"lineItems": {"items": [line()], "subTotal": 9.91}, "totalPrice": 9.9},
        False,
    ),
    "a sub-total two cents off": (
        {"lineItems": {"items": [line()], "subTotal": 9.92}, "totalPrice": 9.9},
        True,
    ),
    "a wrong sub-total": (
        {"lineItems": {"items": [line()], "subTotal": 9}, "totalPrice": 9.9},
        True,
    ),
}


@pytest.mark.parametrize(("deviations", "off"), TOTALS.values(), ids=TOTALS)
def test_totals_that_do_not_add_up_are_a_warning(deviations: dict[str, Any], *, off: bool) -> None:
    """Never a refusal: the shop's sums are the shop's."""
    for before, command in ((None, register), (STATES["present"], replace_order)):
        _, outcome = decide(before, asked(command(**deviations)), AT)
        assert [warning.code for warning in outcome.warnings] == ["TotalsMismatch"] * off
        assert outcome.failure is None


FREE = {"a": "x" * 16_000}
LARGE: Json = {"lines": [line(extraData=FREE)] * 30}
TOO_LARGE: Json = {"lines": [line(extraData=FREE)] * 50}


def test_an_order_may_be_as_large_as_768_kilobytes() -> None:
    large = register(**LARGE)
    assert MAX_ORDER_BYTES == 768 * 1024
    assert decide(None, asked(large), AT)[1].failure is None


@pytest.mark.parametrize(
    ("before", "command"),
    [(None, register(**TOO_LARGE)), (STATES["present"], replace_order(**TOO_LARGE))],
    ids=["register", "replace"],
)
def test_a_larger_order_is_refused(before: OrderState, command: Command) -> None:
    next_state, outcome = decide(before, asked(command), AT)
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.status) == ("TooLarge", 413)
    assert next_state is before


def test_numbers_that_are_longer_in_our_spelling_are_measured_so() -> None:
    """1e14 has four characters and becomes fifteen digits."""
    free = {"a": [10**14] * 1000}
    command = register(lines=[line(extraData=free)] * 60)
    sent = CommandRequest(command, "job", size=len(command.to_json()) * 4 // 15)
    assert sent.size < MAX_ORDER_BYTES // 2
    assert code(decide(None, sent, AT)[1]) == "TooLarge"


def test_small_changes_cannot_add_up_to_too_large_an_order() -> None:
    """Each is bounded by what came before and what it brings; the sum is measured in time."""
    state = after(None, register(**LARGE))
    for number in range(40):
        big = {"trackingUri": f"https://example.com/{number}".ljust(2048, "x")}
        state = after(state, change_delivery(delivery=big))
        assert len(live(state).order.to_json()) <= MAX_ORDER_BYTES


@pytest.mark.parametrize(("name", "deleted"), [("present", True), ("absent", False)])
def test_a_deletion_of_one_life_deletes_nothing_of_another(name: str, *, deleted: bool) -> None:
    """Whoever asks for it saw an order that may have been deleted and registered again."""
    before = STATES[name]
    guard = live(STATES["present"]).registered_by

    state, outcome = decide(before, asked(delete(), guard=DeleteGuard(guard)), AT)

    assert isinstance(state, Tombstone) is deleted
    assert outcome == (
        CommandOutcome(version=state.version) if deleted and state else CommandOutcome()
    )


def test_a_deletion_of_a_life_that_is_over_leaves_the_next_one_and_does_not_fail() -> None:
    again = STATES["again"]

    other = asked(delete(), guard=DeleteGuard("another"))
    assert decide(again, other, AT) == (again, CommandOutcome())
    assert decide(STATES["deleted"], other, AT) == (STATES["deleted"], CommandOutcome())


def test_a_deletion_of_one_contacts_order_leaves_it_to_the_next() -> None:
    ann, bob = ({"matchKey": name, "matchKeyType": "ContactId"} for name in ("ann", "bob"))
    first = after(None, register(contact=ann))
    seen = asked(delete(), guard=DeleteGuard(live(first).registered_by, live(first).contact_since))
    same, another = (after(first, replace_order(contact=it)) for it in (ann, bob))

    assert isinstance(decide(same, seen, AT)[0], Tombstone)
    assert decide(another, seen, AT) == (another, CommandOutcome())
