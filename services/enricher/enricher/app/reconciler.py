"""Reconciling orders: links healed, held actions fired or dropped, jobs and log updated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pymongo import DeleteOne, ReplaceOne, UpdateMany, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from enricher import metrics
from enricher.adapters import (
    batch_snapshot,
    bulk_writes,
    held_action_store,
    job_writes,
    links,
    log_writes,
)
from enricher.adapters.publishing import RecordPublisher, publish
from enricher.adapters.reference_lookup import look_up_facts
from enricher.app.event_spans import HealingSpans
from enricher.app.passed_over import report_orders
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.erasure import lifetime_of
from enricher.domain.events import deletion_command, healed_record, held_action_record
from enricher.domain.model import ContactLink, HeldAction, HoldState
from enricher.domain.reconcile import (
    Reconciliation,
    in_command_order,
    reconcile,
    reference_keys_of_orders,
)
from order_contracts.integration_log import DropReason
from order_runtime.mongo.client import HELD, INTEGRATION_LOG, LINKS, Document
from order_runtime.mongo.portions import portions
from order_runtime.observability.tracing import Tracing
from order_runtime.process.isolation import handle_apart

PORTION: Final = 100  # orders, of up to 768 KB each, that are loaded together


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found of orders without changing them."""

    inconsistent: list[str]
    """The orders that reconciling would change."""
    outlived_erasures: set[str]
    """Hashes of the keys of erased contacts that orders wait for, since living ones carry them."""


class Reconciler:
    """
    Brings orders into agreement with today's facts; may be repeated at any time.

    An order that can't be read, or for which something can't, is passed over: the sweep meets it
    again.

    Two workers may reconcile one order at once: a held action leaves `waiting` by compare-and-set,
    its message is kept until it is published, and the link, by which orders are found, is written
    last.
    """

    def __init__(
        self,
        database: AsyncDatabase[Document],
        publisher: RecordPublisher,
        keys: ContactKeys,
        tracing: Tracing | None = None,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._keys = keys
        self._tracing = tracing

    async def __call__(
        self, order_ids: Sequence[str], now: datetime, held_jobs: Collection[str] = ()
    ) -> int:
        """
        Reconcile these orders; return for how many there was anything to change.

        *held_jobs* are those of their jobs that were just said to have a held action: where another
        worker has ended it by now, the job is told.
        """
        changed = 0

        async def reconcile_some(some: Sequence[str]) -> None:
            nonlocal changed
            changed += await self._reconcile(some, now, held_jobs)

        await self._each_apart(order_ids, reconcile_some)
        return changed

    async def examine(self, order_ids: Sequence[str], now: datetime) -> Examination:
        """Return what reconciling these orders would change; writes nothing."""
        found = Examination([], set())

        async def examine_some(some: Sequence[str]) -> None:
            orders = await self._load(some, now)
            found.inconsistent.extend(it.order_id for it in orders if it.changes_anything)
            keys = (it.erasure_outlived for it in orders)
            found.outlived_erasures.update(self._keys.hashed(it) for it in keys if it is not None)

        await self._each_apart(order_ids, examine_some)
        return found

    async def _each_apart(
        self, order_ids: Sequence[str], handle: Callable[[Sequence[str]], Awaitable[None]]
    ) -> None:
        for some in portions(order_ids, PORTION):
            report_orders(await handle_apart(some, handle))

    async def _reconcile(
        self, order_ids: Sequence[str], now: datetime, held_jobs: Collection[str]
    ) -> int:
        changed = 0
        while True:
            orders = await self._load(order_ids, now, held_jobs)
            changed += sum(it.changes_anything for it in orders)
            ended = await self._end_held_actions(orders, now, held_jobs)
            await self._publish(orders, ended, now)
            await self._finish(orders, ended, now)
            if await self._write_links(orders):
                metrics.HEALED.inc(sum(it.healed for it in orders))
                return changed

    async def _load(
        self, order_ids: Sequence[str], now: datetime, held_jobs: Collection[str] = ()
    ) -> list[Reconciliation]:
        contexts = await batch_snapshot.order_contexts(self._database, order_ids, held_jobs)
        references = reference_keys_of_orders(contexts, self._keys)
        facts = await look_up_facts(self._database, references, self._keys, now)
        return [reconcile(it, facts, now) for it in contexts]

    async def _end_held_actions(
        self, orders: Sequence[Reconciliation], now: datetime, held_jobs: Collection[str]
    ) -> list[HeldAction]:
        """Fire and drop held actions; return all that ended, by whichever worker."""
        dropped = (it for order in orders for it in order.ending(HoldState.DROPPED))
        writes = [held_action_store.drop_write(it, now) for it in dropped]
        writes += await self._fire_writes(orders, now)
        await bulk_writes.bulk_write(self._database[HELD], writes)
        holding = [it.order_id for it in orders if it.context.held_actions]
        if not holding:
            return []
        found = await held_action_store.held_actions_of(self._database[HELD], holding, held_jobs)
        return in_command_order(it for some in found.values() for it in some if not it.waits)

    async def _fire_writes(
        self, orders: Sequence[Reconciliation], now: datetime
    ) -> list[UpdateOne]:
        firing = [(order, it) for order in orders for it in order.ending(HoldState.FIRING)]
        if not firing:
            return []
        whole = await batch_snapshot.whole_orders(self._database, {it.order_id for _, it in firing})
        messages = ((it, order.action_message(it, whole.get(it.order_id))) for order, it in firing)
        return [
            held_action_store.fire_write(it, message, now)
            for it, message in messages
            if message is not None
        ]

    async def _publish(
        self, orders: Sequence[Reconciliation], ended: Sequence[HeldAction], now: datetime
    ) -> None:
        spans = HealingSpans(self._tracing)

        def follow(it: ContactLink | HeldAction) -> str | None:
            return spans.following(it.job_id, it.order_id, it.traceparent)

        links = [it.link for it in orders if it.healed and it.link]
        healed = [healed_record(it, now, follow(it)) for it in links]
        firing = [it for it in ended if it.state is HoldState.FIRING]
        actions = [held_action_record(it, follow(it)) for it in firing]
        deleted = [
            deletion_command(lifetime_of(it.order_id, it.context.stored), it.erasure.at)
            for it in orders
            if it.erasure is not None and it.context.stored is not None
        ]
        await publish(self._publisher, [*healed, *actions, *deleted])
        spans.end()

    async def _finish(
        self, orders: Sequence[Reconciliation], ended: Sequence[HeldAction], now: datetime
    ) -> None:
        """
        Update the log and the jobs, then mark the ended actions as announced.

        In this order: whoever reads that a job's action was dropped is told why by the log, and an
        action that is marked is not looked at again.
        """
        await bulk_writes.bulk_write(
            self._database[INTEGRATION_LOG], list(_log_writes(orders, ended, now))
        )
        await self._update_jobs(orders, ended, now)
        unannounced = [held_action_store.announced_write(it) for it in ended if it.unannounced]
        await bulk_writes.bulk_write(self._database[HELD], unannounced)
        for it in ended:
            if it.unannounced:
                fired = it.state is HoldState.FIRING
                metrics.ACTIONS.labels("fired" if fired else "dropped").inc()

    async def _update_jobs(
        self, orders: Sequence[Reconciliation], ended: Sequence[HeldAction], now: datetime
    ) -> None:
        """Write that contacts were found and held actions ended, wherever the jobs have it."""
        found = [
            (it.link, it.context.stored.version)
            for it in orders
            if it.link and it.link.contact_id and it.context.stored
        ]
        for name, place in job_writes.PLACES:
            linked = [job_writes.contact_found_update(*it, now, place) for it in found]
            actions = [job_writes.held_action_update(it, now, place) for it in ended]
            await bulk_writes.bulk_write(self._database[name], [*linked, *actions])

    async def _write_links(self, orders: Sequence[Reconciliation]) -> bool:
        """Write the links; return False if one of them changed after it was read."""
        writes = [write for it in orders for write in _link_writes(it)]
        if not writes:
            return True
        result = await self._database[LINKS].bulk_write(writes, ordered=False)
        return result.matched_count + result.deleted_count == len(writes)


def _log_writes(
    orders: Sequence[Reconciliation], ended: Sequence[HeldAction], now: datetime
) -> Iterator[UpdateOne | UpdateMany]:
    for it in orders:
        if it.still_missing is not None:
            yield log_writes.resolve_log_entries(it.order_id, it.link, now)
        job_id = it.link.job_id if it.link else ""
        for missing in it.newly_missing:
            yield log_writes.log_entry_write(
                missing.code, job_id, it.order_id, missing.reference, now
            )
    for held in ended:
        if held.state is HoldState.DROPPED:
            reason = held.reason or DropReason.ORDER_CHANGED
            yield log_writes.dropped_entry_write(held.job_id, held.order_id, reason, now)


def _link_writes(order: Reconciliation) -> Iterator[ReplaceOne[Document] | DeleteOne]:
    stored_link = order.context.link
    if stored_link is None:
        return
    if order.order_deleted or order.erasure is not None:
        yield links.orphaned_link_write(stored_link)
    elif order.link is not None and order.healed:
        yield links.healed_link_write(stored_link, order.link)
