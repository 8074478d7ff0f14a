"""One batch of events: read what it needs, decide, write and publish; all of it repeatable."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from pymongo import UpdateMany
from pymongo.asynchronous.database import AsyncDatabase

from enricher import metrics
from enricher.adapters import bulk_writes, held_actions, links, reference_lookup
from enricher.adapters.batch_snapshot import BatchSnapshot, batch_snapshot, existing_orders
from enricher.adapters.commitment_store import apply_commitment, record_commitments
from enricher.adapters.job_updates import enrichment_updates, forget_action_data, log_entry_writes
from enricher.adapters.publishing import RecordPublisher, publish
from enricher.app.contact_erasure import ContactErasure, ContactKeyClaim, contact_key_claims
from enricher.app.reconciler import Reconciler
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.decode import UnreadableEvent, received_event
from enricher.domain.events import outgoing_records
from enricher.domain.model import (
    Commitment,
    DecidedEvent,
    HoldWindow,
    OrderLifetime,
    ReceivedEvent,
    ReferenceFacts,
)
from enricher.domain.rules import ACTED, CONNECTED, decide, keys_of
from order_contracts.events import EventType
from order_contracts.job import Action, Enrichment
from order_contracts.topics import ENRICHER
from order_runtime.documents.erasures import id_key
from order_runtime.kafka.dead_letters import dead_letter
from order_runtime.kafka.records import Outgoing, Record
from order_runtime.mongo.client import HELD, INTEGRATION_LOG, JOBS, LINKS, Document


@dataclass(frozen=True, slots=True)
class EnrichmentPolicy:
    """What is decided by settings."""

    hold_for: timedelta
    keys: ContactKeys


class Decided(NamedTuple):
    """What a batch was found to be about, and what is to be done."""

    known: BatchSnapshot
    claimed: list[ContactKeyClaim]
    erased: dict[OrderLifetime, datetime]
    settled: list[DecidedEvent]


class EventHandler:
    """Handles batches of `orders.events`."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        publisher: RecordPublisher,
        tend: Reconciler,
        erase: ContactErasure,
        terms: EnrichmentPolicy,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._tend = tend
        self._erase = erase
        self._terms = terms

    async def __call__(self, records: Sequence[Record], now: datetime) -> None:
        """Handle *records* wholly: when this returns, all of it is stored and acknowledged."""
        events, refused = _read(records)
        await publish(self._publisher, refused)
        await self.events(events, now)

    async def events(self, events: Sequence[ReceivedEvent], now: datetime) -> None:
        """
        Handle *events*, in their order.

        The job's `enrichment` is written after everything else it stands for, so that an event
        whose job has one is not decided again, and one whose job has none is.
        """
        known, claimed, erased, settled = await self._decided(events, now)
        while not await record_commitments(self._database[JOBS], settled):
            known, claimed, erased, settled = await self._decided(events, now)
        await self._write(settled, now)
        told = [record for it in settled for record in outgoing_records(it.received, it.decision)]
        await publish(self._publisher, told)
        await bulk_writes.bulk_write(
            self._database[JOBS], [*enrichment_updates(settled, now), *_forgotten(events)]
        )
        # A contact may have been erased since: whoever did had no link to find yet.
        await self._erase.delete(erased | await self._erase.covered(claimed))
        # A contact may have come since the facts were read: whoever wrote it had no link to find
        # yet. Only after the jobs, so that what is held is said before what became of it.
        await self._tend(
            [*orders_to_recheck(events, settled, known), *await self._gone(settled)], now
        )
        _count(settled)

    async def _decided(self, events: Sequence[ReceivedEvent], now: datetime) -> Decided:
        known = await self._world(events)
        todo = undecided(events, known)
        facts = await self._facts(events, known)
        claimed = contact_key_claims(events, known.orders, known.links, facts)
        erased = await self._erase.covered(claimed)
        known = without_erased(known, erased, events)
        settled = decide_events(todo, known, facts, HoldWindow(now, self._terms.hold_for))
        return Decided(known, claimed, erased, settled)

    async def _gone(self, settled: Sequence[DecidedEvent]) -> set[str]:
        """Return the orders that were linked, and deleted by then: their links are to go, too."""
        linked = {it.decision.link.order_id for it in settled if it.decision.link is not None}
        return linked - await existing_orders(self._database, linked)

    async def _world(self, events: Sequence[ReceivedEvent]) -> BatchSnapshot:
        connecting = [it for it in events if it.kind in CONNECTED | ACTED]
        return await batch_snapshot(
            self._database,
            list({it.event.order_id for it in events}),
            [it.event.job_id for it in connecting],
        )

    async def _facts(self, events: Iterable[ReceivedEvent], known: BatchSnapshot) -> ReferenceFacts:
        keys = self._terms.keys
        fired_for = [it.contact_id for it in known.jobs.commitment.values()]
        contacts = {id_key(it) for it in fired_for if it is not None}
        # An order may mean another contact by now than it did in its event: see `claims`.
        contacts.update(keys.wanted(it.contact) for it in known.orders.values())
        articles: set[str] = set()
        stores: set[str] = set()
        for it in events:
            contacts.update(keys_of(it, known.links.get(it.event.order_id), keys))
            if it.kind in CONNECTED and it.event.order is not None:
                articles.update(line.sku for line in it.event.order.line_items.items)
                stores.update(filter(None, [it.event.order.external_store_id]))
        return await reference_lookup.look_up_facts(
            self._database, contacts, articles, stores, keys
        )

    async def _write(self, settled: Sequence[DecidedEvent], now: datetime) -> None:
        decisions = [it.decision for it in settled]
        linked = [links.newer_link(it.link) for it in decisions if it.link is not None]
        holds = [held_actions.hold(it.hold) for it in decisions if it.hold is not None]
        await asyncio.gather(
            bulk_writes.bulk_write(self._database[LINKS], linked),
            bulk_writes.bulk_write(self._database[HELD], holds),
            bulk_writes.bulk_write(
                self._database[INTEGRATION_LOG], list(log_entry_writes(settled, now))
            ),
        )


def undecided(events: Iterable[ReceivedEvent], known: BatchSnapshot) -> list[ReceivedEvent]:
    """
    Return the events whose jobs have no enrichment yet, each once.

    One that was announced again may be in the batch twice, with others of its order in between: to
    decide it a second time would say something else of the same job.
    """
    first: dict[tuple[str, EventType], ReceivedEvent] = {}
    for it in events:
        if it.event.job_id not in known.jobs.settled:
            first.setdefault((it.event.job_id, it.kind), it)
    return list(first.values())


def decide_events(
    events: Iterable[ReceivedEvent], known: BatchSnapshot, facts: ReferenceFacts, window: HoldWindow
) -> list[DecidedEvent]:
    """Decide *events* in their order; each sees the links that those before it made."""
    linked = dict(known.links)
    settled: list[DecidedEvent] = []
    for event in events:
        it = replace(event, commitment=known.jobs.commitment.get(event.event.job_id))
        order_id = it.event.order_id
        link = linked.get(order_id)
        decision = decide(it, known.orders.get(order_id), link, facts, window)
        decision = apply_commitment(it, decision, link, facts, window)
        if decision.link is not None:
            linked[order_id] = decision.link
        settled.append(DecidedEvent(it, decision))
    return settled


def without_erased(
    known: BatchSnapshot, erased: Collection[OrderLifetime], events: Iterable[ReceivedEvent]
) -> BatchSnapshot:
    """
    Return what is known, as if the orders of erased contacts were deleted already.

    Nothing is fired for these contacts any more, whatever was agreed on; what an order asked for
    while it was another contact's is not theirs.
    """
    gone = {it.order_id: it.since for it in erased}
    left = {order_id: it for order_id, it in known.orders.items() if order_id not in gone}
    theirs = {
        it.event.job_id
        for it in (event for event in events if event.event.order_id in gone)
        if it.event.version is None or it.event.version >= gone[it.event.order_id]
    }
    dropped = dict.fromkeys(known.jobs.commitment.keys() & theirs, Commitment(Action.DROPPED))
    jobs = replace(known.jobs, commitment={**known.jobs.commitment, **dropped})
    return replace(known, orders=left, jobs=jobs)


def _forgotten(events: Iterable[ReceivedEvent]) -> Iterator[UpdateMany]:
    return (
        forget_action_data(it)
        for it in events
        if it.kind in {EventType.DELETED, EventType.REPLACED}
    )


def orders_to_recheck(
    events: Iterable[ReceivedEvent], settled: Iterable[DecidedEvent], known: BatchSnapshot
) -> list[str]:
    """
    Return the orders to be looked at once more: those that may lack something or be gone.

    Also those of events that were handled before, perhaps by a process that died right after.
    """
    lacking = {it.received.event.order_id for it in settled if it.decision.lacks}
    for it in events:
        order_id, link = it.event.order_id, known.links.get(it.event.order_id)
        repeated = link is not None and link.contact_version == it.event.version
        done = known.jobs.settled.get(it.event.job_id, {})
        if (
            it.kind is EventType.DELETED
            or (link is not None and bool(link.waits_for))
            or (it.kind is EventType.REPLACED and repeated)
            or done.get("state") == Enrichment.CONTACT_MISSING
            or done.get("action") == Action.HELD
        ):
            lacking.add(order_id)
    return list(lacking)


def _read(records: Iterable[Record]) -> tuple[list[ReceivedEvent], list[Outgoing]]:
    """Return the events, and a dead letter for each record that is none."""
    events: list[ReceivedEvent] = []
    refused: list[Outgoing] = []
    for record in records:
        try:
            events.append(received_event(record))
        except UnreadableEvent as error:
            metrics.UNREADABLE.labels(record.topic).inc()
            refused.append(
                dead_letter(record, service=ENRICHER, code="Unreadable", reason=str(error))
            )
    return events, refused


def _count(settled: Sequence[DecidedEvent]) -> None:
    decisions = [it.decision for it in settled]
    for counter, values in (
        (metrics.EVENTS, [it.received.kind for it in settled]),
        (metrics.OUTCOMES, [it.enrichment for it in decisions if it.enrichment is not None]),
        (metrics.ACTIONS, [it.action for it in decisions if it.action is not None]),
    ):
        for value, times in Counter(values).items():
            counter.labels(value).inc(times)
