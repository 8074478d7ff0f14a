"""What an event means for its order, in every state that the order may be in by then."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from enricher.adapters.batch_snapshot import stored_order_of
from enricher.domain.action_ends import held_action
from enricher.domain.commitments import apply_commitment
from enricher.domain.contact_matching import ContactKeys, KnownContact
from enricher.domain.decode import received_event
from enricher.domain.linking import ReferenceFacts
from enricher.domain.model import (
    NO_EFFECT,
    Commitment,
    ContactLink,
    Decision,
    HoldWindow,
    ReceivedEvent,
    StoredOrder,
)
from enricher.domain.rules import decide
from order_contracts.events import EventType
from order_contracts.integration_log import DropReason
from order_contracts.job import Action, Enrichment
from order_contracts.order import MatchKeyType
from order_runtime.documents.erasures import Erasure
from support.builders.bodies import Json, line, order_body
from support.builders.writer_fixtures import AT, WriterFixture, WrittenCommand, read_back

CONTACT = KnownContact("c-1", "Member", "sv")
FACTS = ReferenceFacts(
    contacts={"ExternalId:12433": [CONTACT], "ContactId:c-1": [CONTACT]},
    articles=frozenset({"mug"}),
    stores=frozenset({"shop"}),
    keys=ContactKeys(b"secret"),
)
NOBODY = replace(FACTS, contacts={})
WINDOW = HoldWindow(AT + timedelta(minutes=1), timedelta(hours=24))
CONFIRM: Json = {"action": "ConfirmOrder", "data": {"gift": True}}


def body(**deviations: object) -> Json:
    contact = {"matchKey": "12433", "matchKeyType": "ExternalId"}
    return order_body(
        "o-1", contact=contact, lines=[line(sku="mug")], externalStoreId="shop", **deviations
    )


def read(written: WrittenCommand) -> ReceivedEvent:
    return received_event(read_back(written.event))


def lacking(event: ReceivedEvent, name: str) -> ReceivedEvent:
    nothing: Json = {name: None}
    return replace(event, event=replace(event.event, **nothing))


def stored(written: WrittenCommand) -> StoredOrder | None:
    return None if "deletedAt" in written.order else stored_order_of(written.order)


def seen(
    written: WrittenCommand, *, now: WrittenCommand | None = None, link: ContactLink | None = None
) -> Decision:
    """Decide on an event while the order is as *now* left it."""
    return decide(read(written), stored(now or written), link, FACTS, WINDOW)


def alone(
    written: WrittenCommand, facts: ReferenceFacts = NOBODY, window: HoldWindow = WINDOW
) -> Decision:
    return decide(read(written), stored(written), None, facts, window)


def logged(decision: Decision) -> list[tuple[str, str]]:
    return [(entry.code, entry.reference) for entry in decision.log]


def test_a_known_contact_is_linked_and_the_action_fires() -> None:
    decision = seen(WriterFixture("o-1").register(body(), CONFIRM))

    assert (decision.enrichment, decision.action) == (Enrichment.DONE, Action.FIRED)
    assert decision.link is not None
    assert decision.link.contact_id == "c-1"
    assert decision.link.waits_for == ()
    assert decision.log == ()
    assert decision.fire is not None
    assert decision.fire.contact_id == json.loads(decision.fire.order)["contactId"] == "c-1"
    assert decision.fire.data == {"gift": True}
    assert decision.enriched is not None
    assert decision.enriched.missing == ()


def test_without_an_action_nothing_fires() -> None:
    decision = seen(WriterFixture("o-1").register(body()))

    assert (decision.enrichment, decision.action, decision.fire) == (Enrichment.DONE, None, None)


@pytest.mark.parametrize(
    ("of_action", "of_order", "chosen"),
    [("de", "en", "de"), (None, "en", "en"), (None, None, "sv")],
)
def test_the_language_is_the_actions_else_the_orders_else_the_contacts(
    of_action: str | None, of_order: str | None, chosen: str
) -> None:
    action = {**CONFIRM, "language": of_action} if of_action else CONFIRM
    order = body(language=of_order) if of_order else body()

    decision = seen(WriterFixture("o-1").register(order, action))

    assert decision.fire is not None
    assert decision.fire.language == chosen


def test_a_missing_contact_is_logged_without_its_key_and_the_action_is_held() -> None:
    written = WriterFixture("o-1").register(body(), CONFIRM)

    decision = alone(written)

    assert (decision.enrichment, decision.action) == (Enrichment.CONTACT_MISSING, Action.HELD)
    assert logged(decision) == [("ContactMissing", MatchKeyType.EXTERNAL_ID)]
    assert decision.link is not None
    assert decision.link.contact_id is None
    assert decision.link.waits_for == ("ExternalId:12433",)
    assert decision.hold is not None
    assert decision.hold.until == AT + timedelta(hours=24)
    assert decision.fire is None


@pytest.mark.parametrize(
    "window",
    [
        pytest.param(replace(WINDOW, hold_for=timedelta(0)), id="holding-is-off"),
        pytest.param(replace(WINDOW, now=AT + timedelta(hours=24)), id="the-window-is-over"),
    ],
)
def test_an_action_that_may_not_wait_is_dropped(window: HoldWindow) -> None:
    decision = alone(WriterFixture("o-1").register(body(), CONFIRM), window=window)

    assert (decision.action, decision.hold) == (Action.DROPPED, None)
    assert decision.dropped is DropReason.HOLD_WINDOW_OVER


def test_two_contacts_with_the_key_are_not_chosen_between() -> None:
    two = replace(FACTS, contacts={"ExternalId:12433": [CONTACT, KnownContact("c-2")]})

    decision = alone(WriterFixture("o-1").register(body()), two)

    assert decision.enrichment is Enrichment.CONTACT_MISSING
    assert logged(decision) == [("ContactAmbiguous", MatchKeyType.EXTERNAL_ID)]


def test_missing_articles_and_stores_are_told_once_each_and_the_job_is_done() -> None:
    lines = [line(sku="cup"), line(sku="mug"), line(sku="cup"), line(sku="pot")]
    order = {**body(), "lineItems": {"items": lines}, "externalStoreId": "elsewhere"}

    decision = seen(WriterFixture("o-1").register(order))

    assert decision.enrichment is Enrichment.DONE
    assert logged(decision) == [
        ("ArticleMissing", "cup"),
        ("ArticleMissing", "pot"),
        ("StoreMissing", "elsewhere"),
    ]
    assert decision.link is not None
    assert decision.link.waits_for == ("Article:cup", "Article:pot", "Store:elsewhere")
    assert decision.enriched is not None
    assert logged(decision) == [(it.code, it.reference) for it in decision.enriched.missing]


def test_a_decision_that_was_made_stands_whatever_is_known_today() -> None:
    """So a replay, or a repeat after a crash, says what was said the first time."""
    written = WriterFixture("o-1").register(body(), CONFIRM)
    first = alone(written)

    again = decide(read(written), stored(written), first.link, FACTS, WINDOW)

    assert again == replace(first, link=None)


def test_an_order_that_was_replaced_meanwhile_still_fires_its_action() -> None:
    writer = WriterFixture("o-1")
    first = writer.register(body(), CONFIRM)

    decision = seen(first, now=writer.replace(body()))

    assert (decision.enrichment, decision.action) == (Enrichment.SUPERSEDED, Action.FIRED)
    assert (decision.link, decision.enriched, decision.log) == (None, None, ())


def test_an_order_that_was_deleted_meanwhile_is_not_written_and_drops_its_action() -> None:
    writer = WriterFixture("o-1")
    first = writer.register(body(), CONFIRM)

    decision = seen(first, now=writer.delete())

    assert (decision.enrichment, decision.action) == (Enrichment.SUPERSEDED, Action.DROPPED)
    assert (logged(decision), decision.dropped) == ([], DropReason.ORDER_DELETED)
    assert (decision.link, decision.hold, decision.fire) == (None, None, None)


def test_what_a_dead_worker_was_about_to_fire_fires_although_the_order_is_gone() -> None:
    """It may have been sent; sending it again changes nothing."""
    writer = WriterFixture("o-1")
    first = replace(
        read(writer.register(body(), CONFIRM)), commitment=Commitment(Action.FIRED, "c-1")
    )

    decision = decide(first, stored(writer.delete()), None, FACTS, WINDOW)

    assert (decision.enrichment, decision.action) == (Enrichment.SUPERSEDED, Action.FIRED)
    assert (decision.log, decision.link) == ((), None)


ERASED = replace(
    FACTS, erasures={"ExternalId:12433": Erasure(AT + timedelta(seconds=1), AT + timedelta(1))}
)
"""Another contact had the same key, and was erased."""


@pytest.mark.parametrize(
    ("facts", "action"), [(FACTS, Action.FIRED), (ERASED, Action.DROPPED)], ids=["none", "one"]
)
def test_what_was_asked_for_before_a_carrier_of_the_key_was_erased_goes_to_no_other(
    facts: ReferenceFacts, action: Action
) -> None:
    """It may have been the erased one's: registered, changed, triggered, or replaced since."""
    writer = WriterFixture("o-1")
    first, changed = writer.register(body(), CONFIRM), writer.change_status(CONFIRM)
    triggered = writer.trigger_action(CONFIRM)
    decision = alone(first, facts)
    link = decision.link

    others = [
        decide(read(changed), stored(changed), link, facts, WINDOW),
        decide(read(triggered), stored(changed), link, facts, WINDOW),
        decide(read(first), stored(writer.replace(body())), None, facts, WINDOW),
    ]

    assert link is not None
    assert link.contact_id == "c-1"
    assert [it.action for it in (decision, *others)] == [action] * 4
    assert (decision.enrichment, others[1].enrichment) == (Enrichment.DONE, Enrichment.DONE)


def test_what_is_asked_for_after_the_erasure_goes_to_the_living_contact() -> None:
    writer = WriterFixture("o-1")
    link = alone(writer.register(body()), ERASED).link
    writer.at = AT + timedelta(days=2)
    changed = writer.change_status(CONFIRM)

    decision = decide(read(changed), stored(changed), link, ERASED, WINDOW)

    assert decision.action is Action.FIRED
    without = writer.change_status()
    assert decide(read(without), stored(without), link, ERASED, WINDOW).action is None


def test_an_order_that_was_the_living_contacts_before_goes_on_acting_for_it() -> None:
    """Its link is from before the erasure."""
    writer = WriterFixture("o-1")
    first, changed = writer.register(body()), writer.change_status(CONFIRM)
    link = alone(first, FACTS).link
    superseded = writer.register(body(), CONFIRM)

    decision = decide(read(changed), stored(changed), link, ERASED, WINDOW)

    assert decision.action is Action.FIRED
    replaced = writer.replace(body())
    assert link is not None
    decision = decide(read(superseded), stored(replaced), link, ERASED, WINDOW)
    assert (decision.enrichment, decision.action) == (Enrichment.SUPERSEDED, Action.FIRED)


def test_a_former_life_is_not_taken_for_the_present_one() -> None:
    """The order exists, but it is another than the one that the event tells of."""
    writer = WriterFixture("o-1")
    first = writer.register(body(), CONFIRM)
    deleted = writer.delete()
    second = writer.register(body())
    link = seen(second).link

    late = seen(first, now=second, link=link)

    assert (late.enrichment, late.action) == (Enrichment.SUPERSEDED, Action.DROPPED)
    assert (late.link, late.fire) == (None, None)
    assert seen(deleted, now=second, link=link) == NO_EFFECT


def test_a_replacement_is_linked_anew() -> None:
    writer = WriterFixture("o-1")
    first = seen(writer.register(body()))

    decision = seen(writer.replace(body(), CONFIRM), link=first.link)

    assert (decision.enrichment, decision.action) == (Enrichment.DONE, Action.FIRED)
    assert decision.link is not None
    assert decision.link.contact_version == 2


@pytest.mark.parametrize("asked", [False, True], ids=["change", "action"])
def test_an_action_on_a_linked_order_fires(asked: bool) -> None:
    writer = WriterFixture("o-1")
    link = seen(writer.register(body())).link
    written = writer.trigger_action(CONFIRM) if asked else writer.change_status(CONFIRM)

    decision = seen(written, link=link)

    assert (decision.enrichment, decision.action) == (Enrichment.DONE, Action.FIRED)
    assert (decision.link, decision.enriched) == (None, None)


@pytest.mark.parametrize(
    ("asked", "action"), [(False, Action.HELD), (True, Action.DROPPED)], ids=["change", "action"]
)
def test_without_a_contact_a_change_holds_its_action_and_a_request_fails(
    asked: bool, action: Action
) -> None:
    """Even if the contact has come by now: what waits is healed, not judged anew."""
    writer = WriterFixture("o-1")
    link = alone(writer.register(body())).link
    written = writer.trigger_action(CONFIRM) if asked else writer.change_status(CONFIRM)

    decision = seen(written, link=link)

    assert (decision.enrichment, decision.action) == (Enrichment.CONTACT_MISSING, action)
    assert logged(decision) == [("ContactMissing", MatchKeyType.EXTERNAL_ID)]


def test_an_action_on_an_order_whose_replacement_is_still_to_come_fires_by_its_own_contact() -> (
    None
):
    writer = WriterFixture("o-1")
    link = seen(writer.register(body())).link
    changed = writer.change_status(CONFIRM)

    decision = seen(changed, now=writer.replace(body()), link=link)

    assert (decision.enrichment, decision.action) == (Enrichment.SUPERSEDED, Action.FIRED)


def test_a_change_without_an_action_connects_nothing() -> None:
    writer = WriterFixture("o-1")
    link = seen(writer.register(body())).link

    assert seen(writer.change_status(), link=link) == NO_EFFECT


@pytest.mark.parametrize("kind", [EventType.UNCHANGED, EventType.REJECTED])
def test_what_changed_nothing_connects_nothing(kind: EventType) -> None:
    event = replace(read(WriterFixture("o-1").register(body(), CONFIRM)), kind=kind)

    assert decide(event, None, None, FACTS, WINDOW) == NO_EFFECT


def test_a_commitment_to_hold_is_kept_whatever_the_facts_are_by_now() -> None:
    """Who looks after held actions may have fired or dropped it already."""
    written = WriterFixture("o-1").register(body(), CONFIRM)
    event = replace(read(written), commitment=Commitment(Action.HELD))

    fires, drops = seen(written), alone(written, window=replace(WINDOW, hold_for=timedelta(0)))

    for decision in (apply_commitment(event, it, None, FACTS, WINDOW) for it in (fires, drops)):
        assert (decision.action, decision.fire) == (Action.HELD, None)
        assert decision.hold is not None
        assert decision.hold.contact_version == 1
        assert decision.dropped is None


def test_a_commitment_to_hold_the_action_of_a_change_is_of_the_order_that_it_changed() -> None:
    writer = WriterFixture("o-1")
    first, change = writer.register(body()), writer.change_status(CONFIRM)
    link, later = seen(first).link, seen(writer.replace(body())).link
    event = replace(read(change), commitment=Commitment(Action.HELD))

    decisions = [
        apply_commitment(event, seen(change, link=it), it, FACTS, WINDOW)
        for it in (link, later, None)
    ]

    holds = [it.hold for it in decisions]
    assert [hold.contact_version if hold else None for hold in holds] == [1, 0, 0]


@pytest.mark.parametrize("facts", [FACTS, NOBODY])
def test_a_commitment_to_drop_is_kept(facts: ReferenceFacts) -> None:
    written = WriterFixture("o-1").register(body(), CONFIRM)
    event = replace(read(written), commitment=Commitment(Action.DROPPED))

    decision = apply_commitment(event, alone(written, facts), None, FACTS, WINDOW)

    assert (decision.action, decision.fire, decision.hold) == (Action.DROPPED, None, None)
    assert decision.dropped is DropReason.ORDER_CHANGED, "all that the commitment says"
    said = replace(event, commitment=Commitment(Action.DROPPED, reason=DropReason.ORDER_CANCELLED))
    decision = apply_commitment(said, alone(written, facts), None, FACTS, WINDOW)
    assert decision.dropped is DropReason.ORDER_CANCELLED


def test_a_requested_action_with_a_commitment_to_drop_lacked_its_contact() -> None:
    writer = WriterFixture("o-1")
    link = seen(writer.register(body())).link
    triggered = writer.trigger_action(CONFIRM)
    event = replace(read(triggered), commitment=Commitment(Action.DROPPED))

    decision = apply_commitment(event, seen(triggered, link=link), link, FACTS, WINDOW)

    assert (decision.enrichment, decision.action) == (Enrichment.CONTACT_MISSING, Action.DROPPED)
    assert logged(decision) == [("ContactMissing", "ExternalId")]
    assert decision.dropped is None, "its job fails, and says why"


@pytest.mark.parametrize("kind", ["embedded", "triggered"])
def test_a_commitment_to_fire_is_kept_for_its_contact(kind: str) -> None:
    """Its key may mean nobody by now, and its order may have been replaced."""
    writer = WriterFixture("o-1")
    first = writer.register(body(), CONFIRM)
    asked = first if kind == "embedded" else writer.trigger_action(CONFIRM)
    later = writer.replace(body())
    event = replace(read(asked), commitment=Commitment(Action.FIRED, "c-7"))

    today = decide(event, stored(later), None, NOBODY, WINDOW)
    decision = apply_commitment(event, today, None, NOBODY, WINDOW)

    assert today.action is Action.DROPPED
    assert (decision.enrichment, decision.action) == (Enrichment.SUPERSEDED, Action.FIRED)
    assert decision.fire is not None
    assert decision.fire.contact_id == "c-7"
    assert logged(decision) == []


def test_a_link_of_a_former_registration_is_not_kept_for_its_late_event() -> None:
    """The order was registered again, and the event of that is still to come."""
    writer = WriterFixture("o-1")
    first = writer.register(body(), CONFIRM)
    link = seen(first).link
    writer.delete()

    late = seen(first, now=writer.register(body()), link=link)

    assert (late.enrichment, late.action) == (Enrichment.SUPERSEDED, Action.DROPPED)
    assert late.enriched is None


@pytest.mark.parametrize("missing", ["order", "version"])
def test_a_registration_without_its_order_or_version_is_superseded(missing: str) -> None:
    """It was deleted before it was announced."""
    written = WriterFixture("o-1").register(body())
    event = read(written)
    bare = lacking(event, missing)
    link = seen(written).link

    for known in (None, link):
        decision = decide(bare, stored(written), known, FACTS, WINDOW)

        assert (decision.enrichment, decision.link) == (Enrichment.SUPERSEDED, None)
        assert decision.enriched is None


@pytest.mark.parametrize(
    ("kind", "version"),
    [(EventType.ACTION_REQUESTED, 1), (EventType.STATUS_CHANGED, None)],
)
def test_an_action_without_a_change_of_its_order_is_never_held(
    kind: EventType, version: int | None
) -> None:
    writer = WriterFixture("o-1")
    link = alone(writer.register(body())).link
    written = writer.change_status(CONFIRM)
    event = read(written)
    bare = replace(event, kind=kind, event=replace(event.event, version=version))

    decision = decide(bare, stored(written), link, NOBODY, WINDOW)

    assert (decision.enrichment, decision.action) == (Enrichment.CONTACT_MISSING, Action.DROPPED)
    assert (decision.hold, logged(decision)) == (None, [("ContactMissing", "ExternalId")])


@pytest.mark.parametrize("missing", ["action", "version"])
def test_only_an_action_that_came_with_a_version_can_be_held(missing: str) -> None:
    event = read(WriterFixture("o-1").register(body(), CONFIRM))
    bare = lacking(event, missing)

    assert held_action(event, 1, WINDOW) is not None
    assert held_action(bare, 1, WINDOW) is None


@pytest.mark.parametrize("missing", ["contact", "order"])
def test_a_commitment_to_fire_that_can_no_longer_be_kept_changes_nothing(missing: str) -> None:
    written = WriterFixture("o-1").register(body(), CONFIRM)
    contact_id = None if missing == "contact" else "c-7"
    event = replace(read(written), commitment=Commitment(Action.FIRED, contact_id))
    if missing == "order":
        event = replace(event, event=replace(event.event, order=None))
    today = seen(written)

    assert apply_commitment(event, today, None, FACTS, WINDOW) == today


@pytest.mark.parametrize("end", [Action.HELD, Action.DROPPED])
def test_a_commitment_replaces_every_trace_of_another_end(end: Action) -> None:
    written = WriterFixture("o-1").register(body(), CONFIRM)
    event = replace(read(written), commitment=Commitment(end))

    decision = apply_commitment(event, seen(written), None, FACTS, WINDOW)

    assert (decision.action, decision.fire) == (end, None)
    assert (decision.hold is not None) == (end is Action.HELD)
    assert logged(decision) == []
    assert (decision.dropped is not None) == (end is Action.DROPPED)


def test_a_late_change_of_a_former_registration_is_not_decided_by_the_present_link() -> None:
    writer = WriterFixture("o-1")
    writer.register(body())
    changed = writer.change_status(CONFIRM)
    writer.delete()
    second = writer.register(body())

    late = seen(changed, now=second, link=seen(second).link)

    assert (late.enrichment, late.action) == (Enrichment.SUPERSEDED, Action.DROPPED)
    assert late.fire is None


def test_a_requested_action_whose_order_is_deleted_keeps_a_commitment_to_drop() -> None:
    writer = WriterFixture("o-1")
    writer.register(body())
    event = replace(read(writer.trigger_action(CONFIRM)), commitment=Commitment(Action.DROPPED))
    bare = replace(event, event=replace(event.event, order=None))

    decision = apply_commitment(bare, Decision(Enrichment.SUPERSEDED), None, FACTS, WINDOW)

    assert (decision.enrichment, decision.action) == (Enrichment.SUPERSEDED, Action.DROPPED)
    assert decision.dropped is DropReason.ORDER_CHANGED


def test_a_decision_that_agrees_with_its_commitment_stays_as_it_is() -> None:
    """Also its reason: the contact is ambiguous, not missing."""
    two = replace(FACTS, contacts={"ExternalId:12433": [CONTACT, KnownContact("c-2")]})
    writer = WriterFixture("o-1")
    link = alone(writer.register(body()), two).link
    triggered = writer.trigger_action(CONFIRM)
    event = replace(read(triggered), commitment=Commitment(Action.DROPPED))
    decision = decide(event, stored(triggered), link, two, WINDOW)

    assert apply_commitment(event, decision, link, two, WINDOW) == decision
    assert logged(decision) == [("ContactAmbiguous", "ExternalId")]
