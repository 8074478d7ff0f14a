"""What the gateway reads from MongoDB: orders, their links, jobs and Idempotency-Keys."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from gateway import metrics
from gateway.adapters.batch_loader import BatchLoader
from gateway.adapters.job_joins import JobJoins
from gateway.adapters.job_warnings import warnings_of_jobs
from gateway.adapters.page_rows import page_rows
from gateway.domain.answer_models import order_view
from gateway.domain.order_contact import (
    ActionPreconditions,
    action_preconditions,
    linked_contact,
)
from gateway.domain.pagination import FetchedRows, PageRequest
from order_contracts.derived_ids import version_tag
from order_contracts.order import Order
from order_runtime.documents.deliveries import OUTCOME_FIELDS
from order_runtime.documents.document import field, stored
from order_runtime.documents.erasures import id_key, key_hash
from order_runtime.documents.jobs import StoredJob
from order_runtime.mongo import merge_store
from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    CODEC,
    ENRICHMENTS,
    IDEMPOTENCY,
    JOBS,
    LINKS,
    MERGES,
    ORDERS,
    Document,
)
from order_runtime.process.unreadable import all_readable, readable

V = TypeVar("V")
Where = Sequence[Mapping[str, Any]]

TIMEOUT_MS: Final = 1_000
PAUSE_SECONDS: Final = 1.0  # after a failure, before an optional look-up is tried again
MAX_SCANNED: Final = 1_000  # rows that are looked at for one page, whether they meet its filters
_LIVE: Final = {"deletedAt": {"$exists": False}}


class DatabaseUnavailable(Exception):
    """MongoDB gave no answer."""


@dataclass(frozen=True, slots=True)
class FirstUse:
    """The first applied command under an Idempotency-Key."""

    job_id: str
    fingerprint: str


class ReadStore:
    """
    Reads from the primary; look-ups by id are batched, so a hundred callers cost a few queries.

    All methods raise DatabaseUnavailable, and UnreadableStored for a document that is asked for
    and can't be read; it is no other caller's fault. The exceptions are the two optional look-ups
    `owner` and `first_use`: without them a command is accepted all the same, and its job shows the
    conflict.
    """

    def __init__(self, client: AsyncMongoClient[Document], database: str, secret: bytes) -> None:
        self._database = client.get_database(database, codec_options=CODEC)
        self._secret = secret
        self._owners = BatchLoader(self._fetch_from(ORDERS, {"registeredBy": 1}, _LIVE, "owners"))
        self._orders = BatchLoader(self._fetch_from(ORDERS))
        self._links = BatchLoader(self._fetch_from(LINKS))
        self._first_uses = BatchLoader(self._fetch_from(IDEMPOTENCY))
        self._fetch_jobs = self._fetch_from(JOBS)
        self._jobs = BatchLoader(self._fetch_jobs)
        self._fetch_enrichments = self._fetch_from(ENRICHMENTS)
        self._joins = JobJoins(
            self._fetch_enrichments,
            self._fetch_from(ACTION_DELIVERIES, dict.fromkeys(OUTCOME_FIELDS, 1)),
            partial(warnings_of_jobs, self._database),
        )
        self._paused_until = 0.0

    async def owner(self, order_id: str) -> str | None:
        """
        Return the job that registered the order; None where there is no such order.

        None also while the database is unavailable, or if the order can't be read.
        """
        document = await self._optional(self._owners, order_id)
        return None if document is None else readable(ORDERS, document, _owner_of)

    async def first_use(self, key: str) -> FirstUse | None:
        """
        Return the job and the fingerprint of the first applied command under an Idempotency-Key.

        None also while the database is unavailable, or if the key's document can't be read.
        """
        document = await self._optional(self._first_uses, key)
        return None if document is None else readable(IDEMPOTENCY, document, _first_use_of)

    async def action_preconditions(self, order_id: str) -> ActionPreconditions | None:
        """Return what decides whether an action can be triggered; None if there is no order."""
        with _unavailable():
            order = await self._orders.get(order_id)
            link = await self._links.get(order_id)
        if order is None:
            return None
        return stored(ORDERS, order, lambda it: action_preconditions(it, link))

    async def exists(self, order_id: str) -> bool:
        """Return whether there is an order."""
        with _unavailable():
            return await self._owners.get(order_id) is not None

    async def order(self, order_id: str) -> Order | None:
        """Return the order with the contact it is linked to."""
        with _unavailable():
            link = await self._links.get(order_id)  # first: so it is never the newer one
            document = await self._orders.get(order_id)
        if document is None or "deletedAt" in document:
            return None
        return stored(ORDERS, document, lambda it: order_view(it, linked_contact(it, link)))

    async def survivor(self, contact_id: str) -> str:
        """Return the contact that a merged one counts as; any other one is returned itself."""
        if not self._secret:
            return contact_id
        metrics.QUERIES.labels(MERGES).inc()
        id_hash = key_hash(self._secret, id_key(contact_id))
        with _unavailable():
            found = await merge_store.find_survivors(self._database[MERGES], [id_hash])
        survivor = found.get(id_hash)
        return survivor.contact_id or contact_id if survivor else contact_id

    async def job(self, job_id: str) -> Document | None:
        with _unavailable():
            return await self._jobs.get(job_id)

    async def jobs(self, ids: Sequence[str]) -> Mapping[str, Document]:
        """Return the documents of those jobs that are stored, by id; not batched."""
        with _unavailable():
            return await self._fetch_jobs(ids) if ids else {}

    async def enrichments(self, ids: Sequence[str]) -> Mapping[str, Document]:
        """Return the enrichments of those jobs that have one, by job; not batched."""
        with _unavailable():
            return await self._fetch_enrichments(ids) if ids else {}

    async def joined(self, document: Document) -> StoredJob:
        """Return a job's document with all that is answered of it."""
        with _unavailable():
            return await self._joins.one(document)

    async def all_joined(self, documents: Sequence[Document]) -> list[StoredJob]:
        """
        Return the documents of jobs with their enrichments and their actions' deliveries.

        Two queries; not batched.
        """
        with _unavailable():
            return await self._joins.all(documents)

    async def all_logged(self, jobs: Sequence[StoredJob]) -> list[StoredJob]:
        """Return *jobs* with what the integration log says of them, in one query; not batched."""
        with _unavailable():
            return await self._joins.all_logged(jobs)

    async def links(self, order_ids: Sequence[str]) -> Mapping[str, Document]:
        """Return the links of those orders that have one, by order."""
        where = [{"_id": {"$in": list(order_ids)}}]
        found = await self.find(LINKS, where, {"_id": 1}, len(order_ids))
        return {document["_id"]: document for document in found}

    async def version_tags(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Return the version tags of those orders that exist and can be read, by order."""
        metrics.QUERIES.labels("tags").inc()
        with _unavailable():
            found = self._database[ORDERS].find(_with_ids(ids) | _LIVE, {"jobId": 1})
            return dict(all_readable(ORDERS, await found.to_list(), _version_tag_of))

    async def find_page(
        self, name: str, where: Where, asked: PageRequest, hint: str | None = None
    ) -> FetchedRows:
        """Return the documents of a collection from which `asked` makes its page."""
        metrics.QUERIES.labels(name).inc()
        with _unavailable():
            found = self._database[name].find_raw_batches(asked.where(where), hint=hint)
            found = found.sort(list(asked.sort().items())).limit(asked.limit)
            async with found:
                return await page_rows(found)

    async def scan_end(
        self, name: str, where: Where, asked: PageRequest, hint: str
    ) -> Document | None:
        """
        Return the last of the rows that are looked at for a page; None where all are.

        *where* are the conditions that the index *hint* meets, which alone is read. For a list
        with other conditions, too: so many rows may not meet them that a page has to end before it
        is full.
        """
        metrics.QUERIES.labels(name).inc()
        with _unavailable():
            found = self._database[name].find(asked.where(where), {asked.sort_field: 1}, hint=hint)
            places = found.sort(list(asked.sort().items())).skip(MAX_SCANNED - 1).limit(1)
            return next(iter(await places.to_list()), None)

    async def find(
        self,
        name: str,
        where: Where,
        sort: Mapping[str, int],
        limit: int,
        fields: Mapping[str, int] | None = None,
    ) -> list[Document]:
        """
        Return up to *limit* documents that meet all conditions; an empty one is ignored.

        Of each only these *fields* and its `_id`; None for all.
        """
        metrics.QUERIES.labels(name).inc()
        with _unavailable():
            found = self._database[name].find(_all_of(where), fields)
            return await found.sort(list(sort.items())).limit(limit).to_list()

    async def aggregate_page(
        self, name: str, pipeline: Sequence[Document], hint: str
    ) -> FetchedRows:
        """Return the results of a pipeline, as `find_page` does."""
        metrics.QUERIES.labels(name).inc()
        with _unavailable():
            found = await self._database[name].aggregate_raw_batches(list(pipeline), hint=hint)
            async with found:
                return await page_rows(found)

    async def _optional(self, loader: BatchLoader[V], key: str) -> V | None:
        """Return None after a failure and, to keep writes fast, for the pause that follows."""
        if time.monotonic() < self._paused_until:
            return None
        try:
            return await loader.get(key)
        except PyMongoError:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            return None

    def _fetch_from(
        self,
        name: str,
        fields: Document | None = None,
        where: Document | None = None,
        kind: str | None = None,
    ) -> Callable[[Sequence[str]], Awaitable[Mapping[str, Document]]]:
        """Return a query for documents by `_id`; they are read one by one, by who asked."""
        collection: AsyncCollection[Document] = self._database[name]

        async def fetch(ids: Sequence[str]) -> Mapping[str, Document]:
            metrics.QUERIES.labels(kind or name).inc()
            found = collection.find(_with_ids(ids) | (where or {}), fields)
            return {document["_id"]: document async for document in found}

        return fetch


def _all_of(where: Where) -> Mapping[str, Any]:
    conditions = [condition for condition in where if condition]
    return {"$and": conditions} if conditions else {}


def _owner_of(order: Document) -> str:
    return field(order, "registeredBy", str)


def _first_use_of(claim: Document) -> FirstUse:
    return FirstUse(field(claim, "jobId", str), field(claim, "fingerprint", str))


def _version_tag_of(order: Document) -> tuple[str, str]:
    return order["_id"], version_tag(field(order, "jobId", str))


def _with_ids(ids: Sequence[str]) -> Document:
    return {"_id": {"$in": list(ids)}}


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise DatabaseUnavailable from error
