"""What the gateway reads of MongoDB: the orders, their links and the jobs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from gateway import metrics
from gateway.adapters.batch_loader import BatchLoader
from order_contracts.identity import version_tag
from order_contracts.order import Order
from order_runtime.documents.orders import LiveOrder, order_of
from order_runtime.mongo.client import CODEC, IDEMPOTENCY, JOBS, LINKS, ORDERS, Document

V = TypeVar("V")

TIMEOUT_MS: Final = 1_000
AWAY_SECONDS: Final = 1.0  # after a failure, before the database is asked for a 409 again


class DatabaseUnavailable(Exception):
    """MongoDB gave no answer."""


@dataclass(frozen=True, slots=True)
class ActionPreconditions:
    """What decides at once whether an action can be triggered."""

    job_id: str
    """The job that made the order's version."""
    contact_missing: bool
    """Whether enrichment found that the contact does not exist; false while it is pending."""


class ReadStore:
    """Reads from the primary, coalesced: a hundred callers at once cost a few queries."""

    def __init__(self, client: AsyncMongoClient[Document], database: str) -> None:
        self._database = client.get_database(database, codec_options=CODEC)
        self._owners = BatchLoader(self._find_owners)
        self._orders = BatchLoader(self._finder(ORDERS))
        self._links = BatchLoader(self._finder(LINKS))
        self._claims = BatchLoader(self._finder(IDEMPOTENCY))
        self.jobs_by_id = self._finder(JOBS)
        self._jobs = BatchLoader(self.jobs_by_id)
        self._away_until = 0.0

    async def owner(self, order_id: str) -> str | None:
        """
        Return the job that registered the order, or None where there is no such order.

        None also while the database is away: then the job tells.
        """
        return await self._unless_away(self._owners, order_id)

    async def claim(self, key: str) -> Document | None:
        """Return who used an Idempotency-Key first; None also while the database is away."""
        return await self._unless_away(self._claims, key)

    async def standing(self, order_id: str) -> ActionPreconditions | None:
        """Return how an order stands for actions; raises DatabaseUnavailable."""
        order = await _answered(self._orders, order_id)
        link = await _answered(self._links, order_id)
        if order is None or "deletedAt" in order:
            return None
        counts = link is not None and link["contactVersion"] == order["contactVersion"]
        missing = link is not None and counts and link.get("contactId") is None
        return ActionPreconditions(order["jobId"], missing)

    async def exists(self, order_id: str) -> bool:
        """Return whether there is an order; raises DatabaseUnavailable."""
        return await _answered(self._owners, order_id) is not None

    async def order(self, order_id: str) -> Order | None:
        """Return the order with the contact it is linked to; raises DatabaseUnavailable."""
        link = await _answered(self._links, order_id)  # first: so it is never the newer one
        document = await _answered(self._orders, order_id)
        state = order_of(document) if document else None
        if document is None or not isinstance(state, LiveOrder):
            return None
        return state.view(linked_contact(document, link))

    async def job(self, job_id: str) -> Document | None:
        """Return a job's document; raises DatabaseUnavailable."""
        return await _answered(self._jobs, job_id)

    async def jobs(self, ids: Sequence[str]) -> Mapping[str, Document]:
        """Return the documents of jobs by their ids; raises DatabaseUnavailable."""
        try:
            return await self.jobs_by_id(ids) if ids else {}
        except PyMongoError as error:
            raise DatabaseUnavailable from error

    async def links_of(self, ids: Sequence[str]) -> Mapping[str, Document]:
        """Return the links of orders, by order; raises DatabaseUnavailable."""
        rows = await self.rows(LINKS, [{"_id": {"$in": list(ids)}}], {"_id": 1}, len(ids))
        return {row["_id"]: row for row in rows}

    async def tags(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Return the version tags of those orders that exist; raises DatabaseUnavailable."""
        live = {"_id": {"$in": list(ids)}, "deletedAt": {"$exists": False}}
        metrics.QUERIES.labels("tags").inc()
        try:
            found = self._database[ORDERS].find(live, {"jobId": 1})
            return {document["_id"]: version_tag(document["jobId"]) async for document in found}
        except PyMongoError as error:
            raise DatabaseUnavailable from error

    async def rows(
        self, name: str, where: Sequence[Mapping[str, Any]], sort: Mapping[str, int], limit: int
    ) -> list[Document]:
        """Return up to *limit* documents that meet all of *where*; raises DatabaseUnavailable."""
        metrics.QUERIES.labels(name).inc()
        given = [part for part in where if part]
        try:
            found = self._database[name].find({"$and": given} if given else {})
            return await found.sort(list(sort.items())).limit(limit).to_list()
        except PyMongoError as error:
            raise DatabaseUnavailable from error

    async def joined(self, name: str, pipeline: Sequence[Document]) -> list[Document]:
        """Return the documents of a pipeline; raises DatabaseUnavailable."""
        metrics.QUERIES.labels(name).inc()
        try:
            return await (await self._database[name].aggregate(list(pipeline))).to_list()
        except PyMongoError as error:
            raise DatabaseUnavailable from error

    async def _unless_away(self, of: BatchLoader[V], key: str) -> V | None:
        if time.monotonic() < self._away_until:
            return None
        try:
            return await of.get(key)
        except PyMongoError:
            self._away_until = time.monotonic() + AWAY_SECONDS
            return None

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


def linked_contact(order: Document, link: Document | None) -> str | None:
    """
    Return the contact that the link of an order names, where it is the link of that contact.

    An order that was replaced stays its contact's while it is looked at again.
    """
    if link is None:
        return None
    counts = order["contactSince"] <= link["contactVersion"] <= order["contactVersion"]
    return link.get("contactId") if counts else None


async def _answered(of: BatchLoader[V], key: str) -> V | None:
    try:
        return await of.get(key)
    except PyMongoError as error:
        raise DatabaseUnavailable from error
