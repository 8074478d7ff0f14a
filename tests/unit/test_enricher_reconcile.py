"""Reconciling an order: what heals its link, and when a held action fires, drops or waits on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from enricher.adapters.batch_snapshot import stored_order_of
from enricher.domain.contact_matching import ContactKeys, KnownContact
from enricher.domain.linking import ReferenceFacts, ReferenceKeys, current_link, healed_link
from enricher.domain.model import (
    ContactLink,
    HeldAction,
    HoldState,
    RequestedAction,
    StoredOrder,
)
from enricher.domain.reconcile import (
    OrderContext,
    in_command_order,
    reconcile,
    reference_keys_of_orders,
)
from order_contracts.events import Missing
from order_contracts.integration_log import DropReason
from order_contracts.order import ActionName, ActionRequest
from order_runtime.documents.erasures import Erasure
from order_runtime.documents.orders import LiveOrder, Tombstone, order_of
from support.builders.bodies import order_body
from support.builders.writer_fixtures import AT, WriterFixture

KEYS = ContactKeys(b"secret")
CONTACT = KnownContact("c-1", "Member", "sv")
NOTHING = ReferenceFacts({}, frozenset(), frozenset(), KEYS)
FACTS = ReferenceFacts(
    {"ExternalId:12433": [CONTACT], "ContactId:c-1": [CONTACT]},
    frozenset({"mug"}),
    frozenset({"shop"}),
    KEYS,
)
ORDER = WriterFixture("o-1").register(
    order_body("o-1", contact={"matchKey": "12433", "matchKeyType": "ExternalId"})
)
STORED = replace(stored_order_of(ORDER.order), version=9, contact_version=4)
NO_CONTACT = Missing(code="ContactMissing", reference="ExternalId")
NO_ARTICLE = Missing(code="ArticleMissing", reference="mug")
NO_STORE = Missing(code="StoreMissing", reference="shop")
WAITING = ContactLink(
    order_id="o-1",
    job_id="job-4",
    contact_version=4,
    contact_id=None,
    registered_at=AT,
    missing=(NO_CONTACT, NO_ARTICLE, NO_STORE),
    waits_for=("ExternalId:12433", "Article:mug", "Store:shop"),
)
LINKED = replace(WAITING, contact_id="c-1", missing=(), waits_for=())
CONFIRM = ActionRequest(action=ActionName.CONFIRM_ORDER)
HELD = HeldAction(
    job_id="job-5",
    order_id="o-1",
    version=5,
    contact_version=4,
    action=CONFIRM,
    accepted_at=AT,
    until=AT + timedelta(hours=24),
)
NOW = AT + timedelta(hours=1)


def context(
    held: HeldAction = HELD,
    *,
    stored: StoredOrder | None = STORED,
    link: ContactLink | None = WAITING,
    requested: Sequence[RequestedAction] = (),
) -> OrderContext:
    return OrderContext("o-1", stored, link, [held], requested)


def reasons(found: OrderContext, facts: ReferenceFacts = FACTS) -> list[str | None]:
    return [it.reason for it in reconcile(found, facts, NOW).ends]


def ends(found: OrderContext, facts: ReferenceFacts = FACTS) -> list[HoldState]:
    return [it.state for it in reconcile(found, facts, NOW).ends]


def test_the_contact_that_arrives_fires_the_action_once_it_is_linked() -> None:
    assert ends(context()) == [HoldState.FIRING]
    assert ends(context(), NOTHING) == []
    assert ends(context(link=LINKED), NOTHING) == [HoldState.FIRING]


def test_the_states_of_a_held_action_are_stored_under_these_names() -> None:
    """Documents of earlier releases have them."""
    assert [str(it) for it in HoldState] == ["waiting", "firing", "fired", "dropped"]


@pytest.mark.parametrize("state", [it for it in HoldState if it is not HoldState.WAITING])
def test_an_action_that_ended_does_not_end_again(state: HoldState) -> None:
    assert ends(context(replace(HELD, state=state))) == []


@pytest.mark.parametrize(
    ("deviation", "reason"),
    [
        pytest.param({"stored": None, "link": None}, "orderDeleted", id="deleted"),
        pytest.param(
            {"stored": replace(STORED, contact_version=6)}, "orderReplaced", id="replaced"
        ),
        pytest.param(
            {"stored": replace(STORED, contact_version=3)}, "orderReplaced", id="of-another-version"
        ),
        pytest.param(
            {"stored": replace(STORED, cancelled_since=6)}, "orderCancelled", id="cancelled-later"
        ),
        pytest.param({"stored": replace(STORED, cancelled_since=5)}, None, id="by-itself"),
        pytest.param({"stored": replace(STORED, cancelled_since=4)}, None, id="cancelled-before"),
    ],
)
def test_an_action_is_dropped_if_its_order_moved_on_after_it(
    deviation: dict[str, StoredOrder | None], reason: str | None
) -> None:
    found = replace(context(), **deviation)  # type: ignore[arg-type]

    assert ends(found) == [HoldState.DROPPED if reason else HoldState.FIRING]
    assert reasons(found) == [reason]


@pytest.mark.parametrize(
    ("until", "end"),
    [
        (NOW - timedelta(milliseconds=1), HoldState.DROPPED),
        (NOW, HoldState.DROPPED),
        (NOW + timedelta(milliseconds=1), HoldState.FIRING),
    ],
)
def test_an_action_is_dropped_when_its_window_is_over(until: timedelta, end: HoldState) -> None:
    expired = replace(HELD, until=until)  # type: ignore[arg-type]

    assert ends(context(expired)) == [end]
    assert reasons(context(expired)) == ["holdWindowOver" if end is HoldState.DROPPED else None]


CUSTOM = ActionRequest(action=ActionName.CUSTOM, data={"a": 1})


@pytest.mark.parametrize(
    ("held", "version", "later", "end"),
    [
        pytest.param(CONFIRM, 6, CONFIRM, HoldState.DROPPED, id="again"),
        pytest.param(CONFIRM, 5, CONFIRM, HoldState.FIRING, id="itself"),
        pytest.param(CONFIRM, 4, CONFIRM, HoldState.FIRING, id="before"),
        pytest.param(CONFIRM, 6, CUSTOM, HoldState.FIRING, id="another"),
        pytest.param(
            CONFIRM,
            6,
            ActionRequest(action=ActionName.CONFIRM_ORDER, data={"a": 1}),
            HoldState.DROPPED,
            id="again-with-other-data",
        ),
        pytest.param(CUSTOM, 6, CUSTOM, HoldState.DROPPED, id="custom-again"),
        pytest.param(
            CUSTOM,
            6,
            ActionRequest(action=ActionName.CUSTOM, data={"a": 2}),
            HoldState.FIRING,
            id="custom-with-other-data",
        ),
    ],
)
def test_an_action_is_dropped_if_the_order_requests_it_again(
    held: ActionRequest, version: int, later: ActionRequest, end: HoldState
) -> None:
    """Custom actions are the same only if their data are."""
    found = context(replace(HELD, action=held), requested=[RequestedAction(version, later)])

    assert ends(found) == [end]
    assert reasons(found) == ["requestedAgain" if end is HoldState.DROPPED else None]


def custom(at: int) -> ActionRequest:
    return ActionRequest(action=ActionName.CUSTOM, data={"at": at, "deep": {"list": [at, {}]}})


@pytest.mark.parametrize("asked", [99, 100, 101, 300])
def test_of_the_actions_an_order_asked_for_the_newest_hundred_are_held(asked: int) -> None:
    """Whichever of them are held: the oldest is dropped when another comes."""
    requested = [RequestedAction(at + 5, custom(at)) for at in range(asked)]
    held = [
        replace(HELD, job_id=f"job-{at}", version=at + 5, action=custom(at)) for at in range(asked)
    ]
    found = replace(context(), held_actions=held, requested=requested[::-1])

    dropped = reconcile(found, NOTHING, NOW).ending(HoldState.DROPPED)

    assert [it.version for it in dropped] == [at + 5 for at in range(asked - 100)]
    assert {it.reason for it in dropped} <= {"tooManyHeld"}


@pytest.mark.parametrize(
    ("data", "end"),
    [
        ({"a": [1, {"b": None}], "c": 2}, HoldState.DROPPED),
        ({"c": 2.0, "a": [1, {"b": None}]}, HoldState.DROPPED),
        ({"a": [{"b": None}, 1], "c": 2}, HoldState.FIRING),
        ({"a": [1, {"b": 0}], "c": 2}, HoldState.FIRING),
        ({"a": [1, {"b": None}]}, HoldState.FIRING),
        (None, HoldState.FIRING),
    ],
)
def test_custom_data_are_the_same_if_their_values_are(data: Any, end: HoldState) -> None:
    """In whatever order their members are, and however deep they differ."""
    held = ActionRequest(action=ActionName.CUSTOM, data={"a": [1, {"b": None}], "c": 2})
    later = RequestedAction(6, ActionRequest(action=ActionName.CUSTOM, data=data))

    assert ends(context(replace(HELD, action=held), requested=[later])) == [end]


def test_of_an_action_that_was_requested_often_the_last_time_counts() -> None:
    for versions in ([6, 4], [4, 6]):
        requested = [RequestedAction(it, CONFIRM) for it in versions]

        assert ends(context(requested=requested)) == [HoldState.DROPPED]


def test_a_link_of_another_version_is_not_current() -> None:
    """It stays as it is, and fires nothing, until the order's event is handled."""
    for version in (3, 5):
        old = replace(LINKED, contact_version=version)
        found = reconcile(context(link=old), FACTS, NOW)

        assert (found.link, found.healed, found.ends) == (None, False, [])
        assert (found.still_missing, found.newly_missing) == (None, set())
        assert not found.changes_anything


def test_there_is_no_current_link_without_an_order_or_a_link() -> None:
    assert current_link(STORED, WAITING) == WAITING
    assert current_link(None, WAITING) is None
    assert current_link(STORED, None) is None


def test_what_exists_by_now_is_no_longer_missing() -> None:
    assert healed_link(WAITING, STORED, FACTS) == LINKED
    assert healed_link(WAITING, STORED, NOTHING) == WAITING


@pytest.mark.parametrize(
    ("facts", "left"),
    [
        pytest.param(replace(NOTHING, contacts=FACTS.contacts), [1, 2], id="contact"),
        pytest.param(replace(NOTHING, articles=frozenset({"mug"})), [0, 2], id="article"),
        pytest.param(replace(NOTHING, stores=frozenset({"shop"})), [0, 1], id="store"),
        pytest.param(replace(NOTHING, articles=frozenset({"shop"})), [0, 1, 2], id="another"),
    ],
)
def test_each_reference_heals_by_itself(facts: ReferenceFacts, left: list[int]) -> None:
    healed = healed_link(WAITING, STORED, facts)

    assert healed.missing == tuple(WAITING.missing[at] for at in left)
    assert healed.waits_for == tuple(WAITING.waits_for[at] for at in left)
    assert healed.contact_id == (None if 0 in left else "c-1")


def test_a_missing_contact_that_becomes_ambiguous_is_logged_as_that() -> None:
    two = replace(FACTS, contacts={"ExternalId:12433": [CONTACT, KnownContact("c-2")]})

    found = reconcile(context(), two, NOW)

    ambiguous = Missing(code="ContactAmbiguous", reference="ExternalId")
    assert found.newly_missing == {ambiguous}
    assert found.still_missing == (ambiguous,)
    assert found.healed


def test_a_linked_order_keeps_its_contact_whatever_the_facts() -> None:
    found = reconcile(context(link=LINKED), NOTHING, NOW)

    assert (found.link, found.healed) == (LINKED, False)
    assert found.still_missing == ()


KEY = "ExternalId:12433"
ERASURE = Erasure(AT + timedelta(minutes=1), AT + timedelta(minutes=2))


def test_an_order_that_goes_to_a_living_contact_drops_what_it_held_before_the_erasure() -> None:
    """Another contact had the key, and may have been meant."""
    facts = replace(FACTS, erasures={KEY: ERASURE})
    later = replace(HELD, accepted_at=ERASURE.seen + timedelta(milliseconds=1))

    found = reconcile(context(), facts, NOW)

    assert found.link is not None
    assert (found.link.contact_id, found.erasure) == ("c-1", None)
    assert [(it.state, it.reason) for it in found.ends] == [
        (HoldState.DROPPED, DropReason.CONTACT_ERASED)
    ]
    assert ends(context(later), facts) == [HoldState.FIRING]
    assert ends(context(link=found.link), FACTS) == [HoldState.DROPPED]


def test_an_order_that_waits_for_a_key_of_nobodys_is_taken_by_the_erasure() -> None:
    facts = replace(NOTHING, erasures={KEY: ERASURE})
    expired = replace(HELD, until=NOW)

    found = reconcile(context(), facts, NOW)

    assert (found.erasure, found.link, found.ends) == (ERASURE, WAITING, [])
    assert found.changes_anything
    assert (found.healed, found.erasure_outlived) == (False, None)
    assert ends(context(expired), facts) == [HoldState.DROPPED], "whatever becomes of the order"


def test_an_order_that_waits_for_one_of_two_living_contacts_waits_on() -> None:
    two = {KEY: [CONTACT, KnownContact("c-2")]}
    facts = replace(FACTS, contacts=two, erasures={KEY: ERASURE})
    ambiguous = replace(
        WAITING,
        missing=(Missing(code="ContactAmbiguous", reference="ExternalId"),),
        waits_for=(KEY,),
    )

    found = reconcile(context(link=ambiguous), facts, NOW)

    assert (found.erasure, found.changes_anything, found.ends) == (None, False, [])
    assert found.erasure_outlived == KEY
    assert reconcile(context(stored=None), facts, NOW).erasure_outlived is None


def test_only_what_is_to_change_changes_anything() -> None:
    ended = replace(HELD, state=HoldState.FIRED)

    assert not reconcile(context(ended, link=LINKED), FACTS, NOW).changes_anything
    assert reconcile(context(ended), FACTS, NOW).changes_anything, "its link heals"
    assert reconcile(context(link=LINKED), FACTS, NOW).changes_anything, "its action fires"


def test_a_deleted_order_lacks_nothing_and_loses_its_link() -> None:
    ended = replace(HELD, state=HoldState.DROPPED)

    found = reconcile(context(ended, stored=None), FACTS, NOW)
    without_link = reconcile(context(ended, stored=None, link=None), FACTS, NOW)

    assert (found.order_deleted, found.link, found.still_missing) == (True, None, ())
    assert (found.changes_anything, without_link.changes_anything) == (True, False)


def test_the_actions_that_end_are_told_apart_by_their_end() -> None:
    late = replace(HELD, job_id="job-6", until=NOW)
    found = reconcile(replace(context(), held_actions=[HELD, late]), FACTS, NOW)

    assert [it.job_id for it in found.ending(HoldState.FIRING)] == [HELD.job_id]
    assert [it.job_id for it in found.ending(HoldState.DROPPED)] == ["job-6"]


def test_a_held_action_fires_with_its_order_as_it_is_now() -> None:
    order = order_of({**ORDER.order, "contactVersion": 4})
    assert isinstance(order, LiveOrder)

    message = reconcile(context(), FACTS, NOW).action_message(HELD, order)

    assert message is not None
    action = json.loads(message)
    assert (action["jobId"], action["contactId"], action["language"]) == ("job-5", "c-1", "sv")
    assert action["order"]["registeredAt"].startswith("2025-11-28T10:00:00")


def test_a_held_action_whose_order_changed_meanwhile_has_no_message() -> None:
    order = order_of({**ORDER.order, "contactVersion": 4})
    assert isinstance(order, LiveOrder)
    found = reconcile(context(), FACTS, NOW)

    assert found.action_message(HELD, None) is None
    assert found.action_message(HELD, Tombstone(9, AT)) is None
    assert found.action_message(HELD, replace(order, contact_version=5)) is None
    assert reconcile(context(), NOTHING, NOW).action_message(HELD, order) is None
    assert reconcile(context(link=None), FACTS, NOW).action_message(HELD, order) is None


def test_what_is_looked_up_is_what_the_orders_lack() -> None:
    assert reference_keys_of_orders([context()], KEYS) == ReferenceKeys(
        frozenset({"ExternalId:12433"}), frozenset({"mug"}), frozenset({"shop"})
    )


@pytest.mark.parametrize(
    ("found", "contacts"),
    [
        pytest.param(context(link=LINKED), {"ContactId:c-1"}, id="its-language"),
        pytest.param(replace(context(link=LINKED), held_actions=()), set(), id="nothing-held"),
        pytest.param(context(link=None), set(), id="no-link"),
        pytest.param(context(stored=None), set(), id="deleted"),
    ],
)
def test_the_contact_of_a_linked_order_is_looked_up_where_an_action_is_held(
    found: OrderContext, contacts: set[str]
) -> None:
    assert reference_keys_of_orders([found], KEYS) == ReferenceKeys(frozenset(contacts))


def test_every_order_is_looked_up_also_after_one_that_needs_nothing() -> None:
    keys = reference_keys_of_orders([context(link=None), context()], KEYS)

    assert keys.contacts == {"ExternalId:12433"}


def test_held_actions_are_in_the_order_of_their_commands() -> None:
    first, second = replace(HELD, version=2), replace(HELD, version=10)
    other = replace(HELD, order_id="o-0", version=11)

    assert in_command_order([second, other, first]) == [other, first, second]
