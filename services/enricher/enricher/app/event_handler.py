"""Handling a batch of events: load, decide, commit, publish, finish, reconcile; all idempotent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pymongo.asynchronous.database import AsyncDatabase

from enricher import metrics
from enricher.adapters import bulk_writes, held_action_store, links
from enricher.adapters.action_data import forget_action_data
from enricher.adapters.batch_snapshot import existing_orders, load_batch
from enricher.adapters.commitment_store import record_commitments
from enricher.adapters.healing_queue import HealingQueue
from enricher.adapters.job_senders import senders_of
from enricher.adapters.job_writes import enrichment_documents, lost_action_updates
from enricher.adapters.log_writes import log_entry_writes, logged_jobs
from enricher.adapters.publishing import RecordPublisher, publish
from enricher.adapters.reference_lookup import erased_lifetimes
from enricher.app.contact_erasure import ContactErasure
from enricher.app.event_spans import begin_spans, end_spans
from enricher.app.passed_over import report_orders
from enricher.app.reconciler import Reconciler
from enricher.app.set_aside import SetAside
from enricher.app.step_times import Steps
from enricher.domain.batch import Batch, decide_batch, held_jobs, orders_to_heal_first
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.decode import UnreadableEvent, received_event
from enricher.domain.events import outgoing_records
from enricher.domain.model import DecidedEvent, HoldWindow, ReceivedEvent
from enricher.domain.spent_actions import ended_orders
from order_runtime.documents import job_updates
from order_runtime.documents.erasures import id_key
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import ENRICHMENTS, HELD, INTEGRATION_LOG, JOBS, LINKS, Document
from order_runtime.observability.tracing import Tracing
from order_runtime.process.isolation import Isolation, handle_apart


@dataclass(frozen=True, slots=True)
class EnrichmentPolicy:
    """The settings that decisions depend on, and what records their spans."""

    hold_for: timedelta
    keys: ContactKeys
    tracing: Tracing | None = None


class EventHandler:
    """Handles batches of `orders.events`."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        publisher: RecordPublisher,
        reconciler: Reconciler,
        contact_erasure: ContactErasure,
        queue: HealingQueue,
        policy: EnrichmentPolicy,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._reconciler = reconciler
        self._contact_erasure = contact_erasure
        self._queue = queue
        self._policy = policy
        self._isolation = Isolation()
        self._set_aside = SetAside(database, publisher)

    async def __call__(self, records: Sequence[Record], now: datetime) -> None:
        """
        Handle *records* completely: on return everything is stored and acknowledged.

        An event that can't be handled becomes a dead letter; those behind it are handled. Raises
        EverythingFails where no event can be.
        """
        events, unreadable = _decode(records)
        letters = await self._set_aside.publish(
            "Unreadable", [(it, None, why) for it, why in unreadable], now
        )

        async def handle(some: Sequence[tuple[Record, ReceivedEvent]]) -> None:
            await self.handle([event for _, event in some], now)

        failed = await self._isolation.handle(events, handle)
        suspects = [(*it, why) for it, why in failed]
        letters += await self._set_aside.publish("InternalError", suspects, now)
        unhandled = {id(it[0]) for it in (*unreadable, *suspects)}
        await self._set_aside.record(letters, (it for it in records if id(it) not in unhandled))

    async def repair(
        self, events: Sequence[ReceivedEvent], now: datetime, again: Set[str] = frozenset()
    ) -> int:
        """Handle *events* again, as far as they can be; return how many were; *again* as below."""

        async def handle(some: Sequence[ReceivedEvent]) -> None:
            await self.handle(some, now, again)

        failed = await handle_apart(events, handle)
        left = {it.event.job_id for it, _ in failed}
        await self._set_aside.settle({it.event.job_id for it in events} - left)
        report_orders((it.event.order_id, error) for it, error in failed)
        return len(events) - len(failed)

    async def handle(
        self, events: Sequence[ReceivedEvent], now: datetime, again: Set[str] = frozenset()
    ) -> None:
        """
        Handle *events*, in their order.

        The job's enrichment is inserted after all effects that it stands for: an event whose job
        has one is not decided again, and an event whose job has none is. So are those of the jobs
        *again*, whose messages were lost: they keep to what was committed, under the same ids.
        """
        steps, tracing = Steps(), self._policy.tracing
        events, spans = begin_spans(tracing, events)
        batch = await self._load_and_decide(events, now, again)
        if due := orders_to_heal_first(batch):
            # Their turn in the queue may come later: an action of theirs must not overtake those
            # that are held.
            await self._reconciler(due, now)
            batch = await self._load_and_decide(events, now, again)
        steps.done("decide")
        while not await self._commit(batch, now):
            batch = await self._load_and_decide(events, now, again)
        steps.done("commit")
        await self._publish(batch)
        steps.done("publish")
        await self._finish(batch, now)
        steps.done("finish")
        end_spans(tracing, batch.decided, spans)
        await self._delete_erased(batch, now)
        await self._reconcile(batch, now)
        _count(batch.decided)

    async def _load_and_decide(
        self, events: Sequence[ReceivedEvent], now: datetime, again: Set[str]
    ) -> Batch:
        batch = await load_batch(self._database, events, self._policy.keys, now, again)
        return decide_batch(batch, HoldWindow(now, self._policy.hold_for))

    async def _commit(self, batch: Batch, now: datetime) -> bool:
        """
        Record the commitments, then write links, held actions and log entries.

        Return False, with nothing written after it, if a job has another commitment by now.
        """
        agreed, senders = await asyncio.gather(
            record_commitments(self._database, batch.decided, self._policy.keys),
            senders_of(self._database, logged_jobs(batch.decided)),
        )
        if not agreed:
            return False
        holds = [it.decision.hold for it in batch.decided]
        await asyncio.gather(
            links.write_new_links(self._database[LINKS], batch.new_links, batch.snapshot.links),
            bulk_writes.bulk_write(
                self._database[HELD],
                [held_action_store.hold_write(it) for it in holds if it is not None],
            ),
            bulk_writes.bulk_write(
                self._database[INTEGRATION_LOG],
                list(log_entry_writes(batch.decided, now, senders)),
            ),
        )
        return True

    async def _publish(self, batch: Batch) -> None:
        records = [record for it in batch.decided for record in outgoing_records(it)]
        await publish(self._publisher, records)

    async def _finish(self, batch: Batch, now: datetime) -> None:
        """Insert the enrichment of the jobs; remove the action data of orders that ended."""
        enrichments = list(enrichment_documents(batch.decided, now))
        await bulk_writes.insert_new(self._database[ENRICHMENTS], enrichments)
        lost = list(lost_action_updates(batch, now))
        await bulk_writes.bulk_write(self._database[ENRICHMENTS], lost)
        if agreed := sorted(batch.snapshot.jobs.agreed_inside):
            await self._database[JOBS].update_many(*job_updates.forget_agreed(agreed))
        await forget_action_data(self._database, ended_orders(batch.events))

    async def _delete_erased(self, batch: Batch, now: datetime) -> None:
        """
        Delete the orders of erased contacts, also of those erased since the batch was loaded.

        Whoever erased a contact in between found no link to this order yet. Of an order that waits
        for a key, `_reconcile` finds it.
        """
        keys = self._policy.keys
        linked = {it.contact_id for it in batch.new_links if it.contact_id is not None}
        # Whoever merged a contact in between moved no link of this batch yet.
        merged = await self._contact_erasure.note_merges(
            {keys.hashed(id_key(it)): it for it in linked}
        )
        await self._queue.add(merged, now)
        erased = await erased_lifetimes(self._database, batch.claims, keys, now)
        await self._contact_erasure.delete_orders({**batch.erased, **erased})

    async def _reconcile(self, batch: Batch, now: datetime) -> None:
        """
        Reconcile the orders that lack something or were deleted since the batch was loaded.

        Whoever stored a contact in between found no link that waits for it yet. This comes after
        the jobs' enrichment: a job says that its action is held before it says how that ended.
        """
        linked = {it.order_id for it in batch.new_links}
        deleted = linked - await existing_orders(self._database, linked)
        await self._reconciler([*batch.to_reconcile, *deleted], now, held_jobs(batch))


def _decode(
    records: Iterable[Record],
) -> tuple[list[tuple[Record, ReceivedEvent]], list[tuple[Record, Exception]]]:
    """Return the records with their events, and those that can't be read with the reason."""
    events: list[tuple[Record, ReceivedEvent]] = []
    unreadable: list[tuple[Record, Exception]] = []
    for record in records:
        try:
            events.append((record, received_event(record)))
        except UnreadableEvent as error:
            unreadable.append((record, error))
    return events, unreadable


def _count(decided: Sequence[DecidedEvent]) -> None:
    now = datetime.now(UTC)
    new = [it for it in decided if it.decision.enrichment is not None]
    metrics.ENRICHED_SECONDS.observe((now - it.received.accepted_at).total_seconds() for it in new)
    decisions = [it.decision for it in decided]
    for counter, values in (
        (metrics.EVENTS, [it.received.kind for it in decided]),
        (metrics.OUTCOMES, [it.enrichment for it in decisions if it.enrichment is not None]),
        (metrics.ACTIONS, [it.action for it in decisions if it.action is not None]),
    ):
        for value, times in Counter(values).items():
            counter.labels(value).inc(times)
