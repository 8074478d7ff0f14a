"""A batch of events: what is looked up for it, what is decided, and what is reconciled after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from enricher.adapters.batch_snapshot import stored_order_of
from enricher.domain.batch import (
    Batch,
    BatchSnapshot,
    JobProgress,
    committed_to_fire,
    decide_batch,
    orders_to_heal_first,
    reference_keys_of_events,
    undecided_events,
    without_erased_orders,
)
from enricher.domain.contact_matching import ContactKeys, KnownContact
from enricher.domain.decode import received_event
from enricher.domain.erasure import contact_claims, lifetime_of, orders_of_events
from enricher.domain.linking import ReferenceFacts, ReferenceKeys
from enricher.domain.model import (
    Commitment,
    ContactLink,
    HoldWindow,
    OrderLifetime,
    ReceivedEvent,
    StoredOrder,
)
from order_contracts.events import EventType
from order_contracts.job import Action, Enrichment
from support.builders.bodies import Json, line, order_body
from support.builders.writer_fixtures import AT, WriterFixture, WrittenCommand, read_back

KEYS = ContactKeys(b"secret")
CONTACT = KnownContact("c-1")
FACTS = ReferenceFacts(
    {"ExternalId:12433": [CONTACT], "ContactId:c-1": [CONTACT]},
    frozenset({"mug"}),
    frozenset(),
    KEYS,
)
NOBODY = replace(FACTS, contacts={})
WINDOW = HoldWindow(AT, timedelta(hours=24))
CONFIRM: Json = {"action": "ConfirmOrder"}
NO_JOBS = JobProgress({}, {})


def body(key: str = "12433", **deviations: Any) -> Json:
    contact = {"matchKey": key, "matchKeyType": "ExternalId"}
    return order_body("o-1", contact=contact, lines=[line(sku="mug")], **deviations)


def event(written: WrittenCommand) -> ReceivedEvent:
    return received_event(read_back(written.event))


def stored(written: WrittenCommand) -> StoredOrder:
    return stored_order_of(written.order)


def link(version: int = 1, contact_id: str | None = "c-1", waits: str = "") -> ContactLink:
    waits_for = (waits,) if waits else ()
    return ContactLink("o-1", "job", version, contact_id, AT, waits_for=waits_for)


def batch_of(
    events: Sequence[ReceivedEvent],
    *,
    orders: Mapping[str, StoredOrder] | None = None,
    links: Mapping[str, ContactLink] | None = None,
    jobs: JobProgress = NO_JOBS,
    facts: ReferenceFacts = FACTS,
) -> Batch:
    return Batch(events, BatchSnapshot(orders or {}, links or {}, jobs), facts, [], {})


def ends(batch: Batch) -> list[tuple[Enrichment | None, Action | None]]:
    decisions = [it.decision for it in decide_batch(batch, WINDOW).decided]
    return [(it.enrichment, it.action) for it in decisions]


def test_an_event_sees_the_link_that_an_earlier_event_of_the_batch_made() -> None:
    writer = WriterFixture("o-1")
    registered, changed = writer.register(body()), writer.change_status(CONFIRM)
    events = [event(registered), event(changed)]

    decided = decide_batch(batch_of(events, orders={"o-1": stored(changed)}), WINDOW)

    first, second = (it.decision for it in decided.decided)
    assert decided.new_links == [first.link]
    assert (second.enrichment, second.action) == (Enrichment.DONE, Action.FIRED)
    assert ends(batch_of(events[1:], orders={"o-1": stored(changed)})) == [
        (Enrichment.SUPERSEDED, Action.FIRED)
    ]


def test_what_was_held_and_fired_is_fired_again_where_nobody_received_it() -> None:
    """But not what is still held, and not without a contact."""
    written = WriterFixture("o-1").register(body(), CONFIRM)
    held = {written.job_id: Commitment(Action.HELD)}
    fired = JobProgress({}, held, fired={written.job_id})

    def committed(jobs: JobProgress, contact_id: str | None = "c-1") -> Commitment:
        snapshot = BatchSnapshot({}, {"o-1": link(contact_id=contact_id)}, jobs)
        found = committed_to_fire([event(written)], snapshot)
        return found.jobs.commitments[written.job_id]

    assert committed(fired) == Commitment(Action.FIRED, "c-1")
    assert committed(fired, None) == Commitment(Action.HELD)
    assert committed(JobProgress({}, held)) == Commitment(Action.HELD)


def test_a_decision_keeps_to_the_commitment_of_its_job() -> None:
    written = WriterFixture("o-1").register(body(), CONFIRM)
    jobs = JobProgress({}, {written.job_id: Commitment(Action.DROPPED)})

    batch = batch_of([event(written)], orders={"o-1": stored(written)}, jobs=jobs)

    assert ends(batch) == [(Enrichment.DONE, Action.DROPPED)]
    [decided] = decide_batch(batch, WINDOW).decided
    assert decided.received.commitment == Commitment(Action.DROPPED)


def test_each_job_without_an_enrichment_is_decided_once() -> None:
    writer = WriterFixture("o-1")
    first, second = (event(it) for it in (writer.register(body()), writer.change_status()))
    jobs = JobProgress({first.event.job_id: {"state": "done"}}, {})
    announced_as_unchanged = replace(second, kind=EventType.UNCHANGED)

    events = [first, second, announced_as_unchanged, second]

    assert undecided_events(events, jobs) == [second, announced_as_unchanged]
    assert undecided_events(events, NO_JOBS) == [first, second, announced_as_unchanged]


def test_a_registration_needs_its_contact_its_articles_and_its_store() -> None:
    registered = WriterFixture("o-1").register(body(externalStoreId="shop"))

    keys = reference_keys_of_events([event(registered)], batch_of([]).snapshot, KEYS)

    assert keys == ReferenceKeys(
        frozenset({"ExternalId:12433"}), frozenset({"mug"}), frozenset({"shop"})
    )


def test_an_order_without_a_store_needs_none() -> None:
    registered = WriterFixture("o-1").register(body())

    keys = reference_keys_of_events([event(registered)], batch_of([]).snapshot, KEYS)

    assert keys.stores == frozenset()


def test_a_change_needs_contacts_only_by_key_and_by_link() -> None:
    writer = WriterFixture("o-1")
    writer.register(body(externalStoreId="shop"))
    changed = event(writer.change_status(CONFIRM))
    linked = batch_of([], links={"o-1": link()}).snapshot
    waiting = batch_of([], links={"o-1": link(contact_id=None)}).snapshot

    assert reference_keys_of_events([changed], linked, KEYS) == ReferenceKeys(
        frozenset({"ExternalId:12433", "ContactId:c-1"})
    )
    assert reference_keys_of_events([changed], waiting, KEYS) == ReferenceKeys(
        frozenset({"ExternalId:12433"})
    )


def test_the_contacts_of_commitments_and_of_stored_orders_are_needed_too() -> None:
    """A stored order may name another contact by now than its event does."""
    written = WriterFixture("o-1").register(body("999"))
    jobs = JobProgress(
        {}, {"job-1": Commitment(Action.FIRED, "c-7"), "job-2": Commitment(Action.DROPPED)}
    )
    snapshot = batch_of([], orders={"o-1": stored(written)}, jobs=jobs).snapshot

    keys = reference_keys_of_events([], snapshot, KEYS)

    assert keys.contacts == {"ExternalId:999", "ContactId:c-7"}


def test_an_event_that_is_not_enriched_needs_nothing() -> None:
    writer = WriterFixture("o-1")
    unchanged = replace(event(writer.register(body())), kind=EventType.UNCHANGED)
    deleted = event(writer.delete())

    keys = reference_keys_of_events([unchanged, deleted], batch_of([]).snapshot, KEYS)

    assert keys == ReferenceKeys()


def test_an_event_after_one_that_needs_nothing_is_looked_up() -> None:
    writer = WriterFixture("o-1")
    registered = event(writer.register(body()))
    deleted = event(writer.delete())

    keys = reference_keys_of_events([deleted, registered], batch_of([]).snapshot, KEYS)

    assert keys.contacts == {"ExternalId:12433"}


def test_the_order_of_an_erased_contact_is_decided_as_if_it_were_deleted() -> None:
    written = WriterFixture("o-1").register(body(), CONFIRM)
    orders = {"o-1": stored(written), "o-2": stored(written)}
    batch = batch_of([event(written)], orders=orders)
    erased = replace(batch, erased={lifetime_of("o-1", stored(written)): AT})

    assert ends(batch) == [(Enrichment.DONE, Action.FIRED)]
    assert ends(erased) == [(Enrichment.SUPERSEDED, Action.DROPPED)]
    assert list(without_erased_orders(erased).orders) == ["o-2"]


def test_an_erasure_overrides_the_commitments_of_that_contact_alone() -> None:
    """What the order requested while it was another contact's is fired as committed."""
    writer = WriterFixture("o-1")
    before = writer.register(body("888"), CONFIRM)
    since = writer.replace(body(), CONFIRM)
    asked = writer.trigger_action(CONFIRM)
    other = WriterFixture("o-2").register(body(), CONFIRM)
    fired = Commitment(Action.FIRED, "c-1")
    jobs = JobProgress({}, {it.job_id: fired for it in (before, since, asked, other)})
    events = [event(it) for it in (before, since, asked, other)]
    batch = replace(
        batch_of(events, orders={"o-1": stored(since)}, jobs=jobs),
        erased={lifetime_of("o-1", stored(since)): AT},
    )

    commitments = without_erased_orders(batch).jobs.commitments

    dropped = Commitment(Action.DROPPED)
    assert commitments == {
        before.job_id: fired,
        since.job_id: dropped,
        asked.job_id: dropped,
        other.job_id: fired,
    }


def test_a_job_that_committed_to_nothing_is_not_committed_by_an_erasure() -> None:
    written = WriterFixture("o-1").register(body(), CONFIRM)
    erased = {OrderLifetime("o-1", written.job_id, 1, 1): AT}
    batch = replace(batch_of([event(written)]), erased=erased)

    assert without_erased_orders(batch).jobs.commitments == {}


def test_an_order_that_lacks_something_is_reconciled() -> None:
    """Its contact may have come since the facts were read."""
    written = WriterFixture("o-1").register(body(), CONFIRM)
    lacking = batch_of([event(written)], orders={"o-1": stored(written)}, facts=NOBODY)
    complete = replace(lacking, facts=FACTS)

    assert decide_batch(lacking, WINDOW).to_reconcile == ["o-1"]
    assert decide_batch(complete, WINDOW).to_reconcile == []


def test_a_deleted_order_is_reconciled() -> None:
    writer = WriterFixture("o-1")
    writer.register(body())

    assert decide_batch(batch_of([event(writer.delete())]), WINDOW).to_reconcile == ["o-1"]


@pytest.mark.parametrize(
    ("state", "due"),
    [
        ({"state": "contactMissing"}, True),
        ({"state": "superseded", "action": "held"}, True),
        ({"state": "done", "action": "fired"}, False),
    ],
)
def test_an_event_that_was_handled_before_is_reconciled_if_something_waited_then(
    state: Json, due: bool
) -> None:
    """The process that handled it may have died before it did so."""
    written = WriterFixture("o-1").register(body(), CONFIRM)
    batch = batch_of([event(written)], jobs=JobProgress({written.job_id: state}, {}))

    assert (decide_batch(batch, WINDOW).to_reconcile == ["o-1"]) is due


@pytest.mark.parametrize(
    ("stored_link", "due"),
    [
        pytest.param(None, False, id="none"),
        pytest.param(link(1), False, id="of-the-version-before"),
        pytest.param(link(1, None, "ExternalId:12433"), True, id="waiting"),
        pytest.param(link(2), True, id="of-the-replacement"),
    ],
)
def test_a_replacement_is_reconciled_again_if_its_link_was_written_already(
    stored_link: ContactLink | None, due: bool
) -> None:
    """What was held for the order before it may not be dropped yet."""
    writer = WriterFixture("o-1")
    writer.register(body())
    links = {"o-1": stored_link} if stored_link else {}

    batch = batch_of([event(writer.replace(body()))], links=links)

    assert (decide_batch(batch, WINDOW).to_reconcile == ["o-1"]) is due


def test_a_registration_that_is_repeated_replaced_nothing() -> None:
    batch = batch_of([event(WriterFixture("o-1").register(body()))], links={"o-1": link(1)})

    assert decide_batch(batch, WINDOW).to_reconcile == []


def test_an_order_claims_its_contact_while_it_is_registered_by_the_same_job() -> None:
    writer = WriterFixture("o-1")
    first, deleted, second = writer.register(body()), writer.delete(), writer.register(body())
    unchanged = replace(event(second), kind=EventType.UNCHANGED)
    events = [event(first), event(deleted), unchanged, event(second)]

    found = orders_of_events(events, {"o-1": stored(second)})

    assert found == {"o-1": stored(second)}
    [claim] = contact_claims(found, {}, FACTS)
    assert claim.lifetime == OrderLifetime("o-1", second.job_id, 3, 3)
    assert (claim.stored, claim.contact_id) == (stored(second), "c-1")
    assert orders_of_events(events, {}) == {}


@pytest.mark.parametrize(
    ("deviation", "first"),
    [
        ({}, ["o-1"]),
        ({"facts": NOBODY}, []),
        ({"links": {"o-1": link(contact_id="c-1", waits="Article:mug")}}, []),
        ({"links": {}}, []),
        ({"links": {"o-1": link(version=0, contact_id=None, waits="Email:ann@x.se")}}, []),
    ],
    ids=["its contact came", "nobody came", "it has its contact", "no link", "an older link"],
)
def test_an_order_whose_contact_came_is_healed_before_its_events_are_decided(
    deviation: dict[str, Any], first: list[str]
) -> None:
    """Otherwise an action of theirs would overtake those that are held."""
    order = WriterFixture("o-1").register(body())
    version = stored(order).contact_version
    waits = link(version, contact_id=None, waits="ExternalId:12433")
    given = {"links": {"o-1": waits}, "facts": FACTS, **deviation}
    batch = batch_of([event(order)], orders={"o-1": stored(order)}, **given)

    assert orders_to_heal_first(batch) == first


def test_an_order_that_an_erasure_takes_is_not_healed_first() -> None:
    order = WriterFixture("o-1").register(body())
    waits = link(stored(order).contact_version, contact_id=None, waits="ExternalId:12433")
    batch = batch_of([event(order)], orders={"o-1": stored(order)}, links={"o-1": waits})
    erased = {lifetime_of("o-1", stored(order)): AT}

    assert orders_to_heal_first(replace(batch, erased=erased)) == []
