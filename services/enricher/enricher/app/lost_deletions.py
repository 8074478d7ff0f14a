"""
Orders of erased contacts whose deletion was commanded, and whose command was lost with its topic.

Their links are gone since the command was published, so that nothing else leads to them.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import unlinked_orders
from enricher.adapters.reference_lookup import look_up_facts
from enricher.app.contact_erasure import ContactErasure
from enricher.app.periodic_sweep import GRACE, CollectionScan, Suspects
from enricher.app.unfinished_jobs import CaughtUp
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.erasure import erased_orders
from enricher.domain.linking import ReferenceKeys
from enricher.domain.model import OrderLifetime
from order_runtime.mongo.client import ORDERS, WATERMARKS, Document

ROUND: Final = "orders without a link"


class LostDeletions:
    """Walks all orders, over and over, and commands such deletions again."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        erasure: ContactErasure,
        keys: ContactKeys,
        applied: CaughtUp,
    ) -> None:
        """*applied* tells whether the order-writer has done what was commanded before a time."""
        self._database = database
        self._erasure = erasure
        self._keys = keys
        self._applied = applied
        read = partial(unlinked_orders.orders_after, database[ORDERS])
        self._orders = CollectionScan(database[WATERMARKS], ROUND, read)
        self._suspects = Suspects()

    async def __call__(self, now: datetime) -> int:
        """
        Read a page; return how many deletions were commanded that have been due for GRACE.

        To be called where the enricher has handled what is older than GRACE: an order that had no
        link so long ago, and has none now, is not one whose event is on its way.
        """
        if not await self._applied(now - GRACE):
            return 0
        found = await self._erased(await self._orders.next_page(), now)
        overdue = self._suspects.overdue((it.order_id for it in found), now)
        due = await self._erased(overdue, now)
        await self._erasure.delete_orders(due)
        return len(due)

    async def _erased(self, order_ids: list[str], now: datetime) -> dict[OrderLifetime, datetime]:
        """Return those of these orders that have no link and belong to an erased contact."""
        unlinked = await unlinked_orders.without_link(self._database, order_ids)
        if not unlinked:
            return {}
        contacts = frozenset(self._keys.lookup_key(it.contact) for it in unlinked.values())
        references = ReferenceKeys(contacts, frozenset(), frozenset())
        facts = await look_up_facts(self._database, references, self._keys, now)
        return erased_orders(unlinked, {}, facts)
