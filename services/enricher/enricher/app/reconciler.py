"""Orders looked at again: links healed, held actions fired or dropped, jobs and log told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pymongo import DeleteOne, ReplaceOne, UpdateMany, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from enricher import metrics
from enricher.adapters import (
    batch_snapshot,
    bulk_writes,
    held_actions,
    job_updates,
    links,
    reference_lookup,
)
from enricher.adapters.publishing import RecordPublisher, publish
from enricher.domain import events
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.model import ContactLink, HeldAction, HoldState, ReferenceFacts
from enricher.domain.reconcile import (
    OrderContext,
    Reconciliation,
    current_link,
    in_command_order,
    reconcile,
)
from enricher.domain.rules import ARTICLE_MISSING, DROPPED, STORE_MISSING, order_action
from order_runtime.documents.erasures import id_key
from order_runtime.documents.orders import LiveOrder, Tombstone, order_of
from order_runtime.mongo.client import HELD, INTEGRATION_LOG, JOBS, LINKS, ORDERS, Document

PORTION: Final = 100  # orders, of up to 768 KB each, that are looked at together


@dataclass(frozen=True, slots=True)
class ReconciledOrder:
    """One order as it was found and what is to become of it."""

    order_id: str
    found: OrderContext
    reconciliation: Reconciliation
    facts: ReferenceFacts

    @property
    def link(self) -> ContactLink | None:
        return self.reconciliation.link

    @property
    def healed(self) -> bool:
        return self.link is not None and self.link != self.found.link

    @property
    def gone(self) -> bool:
        return self.found.stored is None

    @property
    def wrong(self) -> bool:
        """Whether there was something to do."""
        return (
            self.healed
            or (self.gone and self.found.link is not None)
            or bool(self.reconciliation.ends)
        )

    def ending(self, end: HoldState) -> list[HeldAction]:
        return [it for it in self.found.held if self.reconciliation.ends.get(it.job_id) is end]

    def message(self, held: HeldAction, order: LiveOrder | Tombstone | None) -> bytes | None:
        """Return the action as it is published; None where the order has changed by now."""
        link = self.link
        if link is None or link.contact_id is None or not isinstance(order, LiveOrder):
            return None
        if order.contact_version != held.contact_version:
            return None
        contact = self.facts.contact(link.contact_id)
        return order_action(held.job_id, held.action, order.view(), contact).to_json()

    def log(self, now: datetime) -> Iterator[UpdateOne | UpdateMany]:
        """Yield what closes and opens the log's entries; nothing while the order's event is due."""
        if self.link is None and not self.gone:
            return
        still = self.link.missing if self.link else ()
        yield job_updates.resolve_log_entries(self.order_id, still, now)
        for it in set(still) - set(self.found.link.missing if self.found.link else ()):
            job_id = self.link.job_id if self.link else ""
            yield job_updates.log_entry_write(it.code, job_id, self.order_id, it.reference, now)

    def links(self) -> Iterator[ReplaceOne[Document] | DeleteOne]:
        if self.found.link is None:
            return
        if self.gone:
            yield links.remove_link(self.found.link)
        elif self.link is not None and self.healed:
            yield links.healed_link_write(self.found.link, self.link)


class Reconciler:
    """
    Brings orders into agreement with what is known of them today; may be done again at any time.

    Two may tend one order at once: an action leaves `waiting` by compare-and-set, its message is
    kept until it is published, and the link, which is what an order is found by, comes last.
    """

    def __init__(
        self, database: AsyncDatabase[Document], publisher: RecordPublisher, keys: ContactKeys
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._keys = keys

    async def __call__(self, order_ids: Sequence[str], now: datetime) -> int:
        """Look at these orders again; return how many were not as they should be."""
        return sum(
            [await self._portion(some, now) for some in bulk_writes.portions(order_ids, PORTION)]
        )

    async def wrong(self, order_ids: Sequence[str], now: datetime) -> list[str]:
        """Return those of these orders that are not as they should be; changes nothing."""
        return [
            it.order_id
            for some in bulk_writes.portions(order_ids, PORTION)
            for it in await self._look(some, now)
            if it.wrong
        ]

    async def arrived(self, keys: Sequence[str], now: datetime) -> int:
        """Look again at the orders that wait for any of these keys; return how many healed."""
        waiting = await links.waiting_for(self._database[LINKS], keys)
        return await self(waiting, now)

    async def _portion(self, order_ids: Sequence[str], now: datetime) -> int:
        wrong = 0
        while True:
            reconciled = await self._look(order_ids, now)
            wrong += sum(it.wrong for it in reconciled)
            left = await self._decided(reconciled, now)
            await self._publish(reconciled, left, now)
            await self._tell(reconciled, left, now)
            if await self._link(reconciled):
                metrics.HEALED.inc(sum(it.healed for it in reconciled))
                return wrong

    async def _look(self, order_ids: Sequence[str], now: datetime) -> list[ReconciledOrder]:
        found = await batch_snapshot.order_contexts(self._database, order_ids)
        contacts, articles, stores = reference_keys(found.values(), self._keys)
        facts = await reference_lookup.look_up_facts(
            self._database, contacts, articles, stores, self._keys
        )
        return [
            ReconciledOrder(it, found[it], reconcile(found[it], facts, now), facts)
            for it in order_ids
        ]

    async def _decided(
        self, reconciled: Sequence[ReconciledOrder], now: datetime
    ) -> list[HeldAction]:
        """Fire and drop what waits; return all that waits no more, whoever decided it."""
        writes = [
            held_actions.dropped(it, now)
            for one in reconciled
            for it in one.ending(HoldState.DROPPED)
        ] + await self._firing(reconciled, now)
        await bulk_writes.bulk_write(self._database[HELD], writes)
        holding = [it.order_id for it in reconciled if it.found.held]
        if not holding:
            return []
        found = await held_actions.held_of_orders(self._database[HELD], holding)
        return in_command_order(it for some in found.values() for it in some if not it.waits)

    async def _firing(
        self, reconciled: Sequence[ReconciledOrder], now: datetime
    ) -> list[UpdateOne]:
        firing = [(one, it) for one in reconciled for it in one.ending(HoldState.FIRING)]
        if not firing:
            return []
        ids = {"$in": list({it.order_id for _, it in firing})}
        orders = {
            document["_id"]: order_of(document)
            async for document in self._database[ORDERS].find({"_id": ids})
        }
        messages = ((it, one.message(it, orders.get(it.order_id))) for one, it in firing)
        return [
            held_actions.firing(it, message, now) for it, message in messages if message is not None
        ]

    async def _publish(
        self, reconciled: Sequence[ReconciledOrder], left: Sequence[HeldAction], now: datetime
    ) -> None:
        actions = [events.held_action_record(it) for it in left if it.state is HoldState.FIRING]
        news = [events.healed_record(it.link, now) for it in reconciled if it.healed and it.link]
        await publish(self._publisher, [*news, *actions])

    async def _tell(
        self, reconciled: Sequence[ReconciledOrder], left: Sequence[HeldAction], now: datetime
    ) -> None:
        linked = [
            job_updates.contact_found_update(it.link, it.found.stored.version, now)
            for it in reconciled
            if it.link and it.link.contact_id and it.found.stored
        ]
        log = [write for it in reconciled for write in it.log(now)]
        dropped = [it for it in left if it.state is HoldState.DROPPED]
        log += [
            job_updates.log_entry_write(DROPPED, it.job_id, it.order_id, None, now)
            for it in dropped
        ]
        # The jobs first of all: an action that is told of everywhere is not looked at again.
        await bulk_writes.bulk_write(
            self._database[JOBS],
            [*linked, *(job_updates.held_action_update(it, now) for it in left)],
        )
        await bulk_writes.bulk_write(self._database[INTEGRATION_LOG], log)
        await bulk_writes.bulk_write(
            self._database[HELD], [held_actions.mark_announced(it) for it in left if it.unannounced]
        )

    async def _link(self, reconciled: Sequence[ReconciledOrder]) -> bool:
        """Write the links; return whether none of them had changed since it was read."""
        writes = [write for it in reconciled for write in it.links()]
        if not writes:
            return True
        done = await self._database[LINKS].bulk_write(writes, ordered=False)
        return done.matched_count + done.deleted_count == len(writes)


def reference_keys(
    found: Iterable[OrderContext], keys: ContactKeys
) -> tuple[set[str], set[str], set[str]]:
    """Return the contact keys, skus and store ids that decide what becomes of these orders."""
    contacts: set[str] = set()
    missing: dict[str, set[str]] = {ARTICLE_MISSING: set(), STORE_MISSING: set()}
    for it in found:
        link = current_link(it)
        if link is None or it.stored is None:
            continue
        if link.contact_id is None:
            contacts.add(keys.wanted(it.stored.contact))
        elif it.held:
            contacts.add(id_key(link.contact_id))
        for lacking in link.missing:
            missing.get(lacking.code, set()).add(lacking.reference)
    return contacts, missing[ARTICLE_MISSING], missing[STORE_MISSING]
