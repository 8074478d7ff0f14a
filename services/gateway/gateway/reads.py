"""What the gateway reads of MongoDB: the orders, their links and the jobs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from gateway import metrics
from gateway.coalesce import Coalesced
from order_contracts.order import Order
from order_runtime.mongo import CODEC, JOBS, LINKS, ORDERS, Document
from order_runtime.orders import LiveOrder, from_document

V = TypeVar("V")

TIMEOUT_MS: Final = 1_500
AWAY_SECONDS: Final = 1.0  # after a failure, before the database is asked for a 409 again


class DatabaseUnavailable(Exception):
    """MongoDB gave no answer."""


class Reads:
    """Reads from the primary, coalesced: a hundred callers at once cost a few queries."""

    def __init__(self, client: AsyncMongoClient[Document], database: str) -> None:
        self._database = client.get_database(database, codec_options=CODEC)
        self._owners = Coalesced(self._find_owners)
        self._orders = Coalesced(self._finder(ORDERS))
        self._links = Coalesced(self._finder(LINKS))
        self._jobs = Coalesced(self._finder(JOBS))
        self._away_until = 0.0

    async def owner(self, order_id: str) -> str | None:
        """
        Return the job that registered the order, or None where there is no such order.

        None also while the database is away: then the job tells.
        """
        if time.monotonic() < self._away_until:
            return None
        try:
            return await self._owners.get(order_id)
        except PyMongoError:
            self._away_until = time.monotonic() + AWAY_SECONDS
            return None

    async def exists(self, order_id: str) -> bool:
        """Return whether there is an order; raises DatabaseUnavailable."""
        return await _answered(self._owners, order_id) is not None

    async def order(self, order_id: str) -> Order | None:
        """Return the order with the contact it is linked to; raises DatabaseUnavailable."""
        document = await _answered(self._orders, order_id)
        state = from_document(document) if document else None
        if not isinstance(state, LiveOrder):
            return None
        link = await _answered(self._links, order_id)
        counts = link is not None and link["contactVersion"] == state.contact_version
        return state.view(link.get("contactId") if link and counts else None)

    async def job(self, job_id: str) -> Document | None:
        """Return a job's document; raises DatabaseUnavailable."""
        return await _answered(self._jobs, job_id)

    async def _find_owners(self, ids: Sequence[str]) -> Mapping[str, str]:
        metrics.QUERIES.labels("owners").inc()
        live = {"_id": {"$in": list(ids)}, "deletedAt": {"$exists": False}}
        found = self._database[ORDERS].find(live, {"registeredBy": 1})
        return {document["_id"]: document["registeredBy"] async for document in found}

    def _finder(self, name: str) -> Callable[[Sequence[str]], Awaitable[Mapping[str, Document]]]:
        collection: AsyncCollection[Document] = self._database[name]

        async def find(ids: Sequence[str]) -> Mapping[str, Document]:
            metrics.QUERIES.labels(name).inc()
            found = collection.find({"_id": {"$in": list(ids)}})
            return {document["_id"]: document async for document in found}

        return find


async def _answered(of: Coalesced[V], key: str) -> V | None:
    try:
        return await of.get(key)
    except PyMongoError as error:
        raise DatabaseUnavailable from error
