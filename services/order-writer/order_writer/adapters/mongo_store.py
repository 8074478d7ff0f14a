"""The orders and the ledger in MongoDB: one transaction a batch, all of it or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, MongoClient, ReplaceOne
from pymongo.client_session import ClientSession
from pymongo.database import Database

from order_contracts.integration_log import KEPT_DAYS
from order_runtime.documents.integration_log import log_document
from order_runtime.documents.jobs import RETENTION, LedgerEntry, entry_document, entry_of
from order_runtime.documents.orders import order_document, order_of
from order_runtime.mongo.client import (
    CODEC,
    DURABLE,
    IDEMPOTENCY,
    INTEGRATION_LOG,
    JOBS,
    ORDERS,
    SNAPSHOT,
    Document,
)
from order_writer.domain.batch import (
    BatchItem,
    FoldedBatch,
    IdempotencyClaim,
    fold,
    is_same_command,
)
from order_writer.domain.decide import OrderState
from order_writer.domain.decode import DecodedCommand, UnreadableCommand, record_size

_NEWEST = IndexModel([("at", DESCENDING), ("_id", DESCENDING)])  # how lists are paged
DAY_SECONDS = 24 * 60 * 60
TOMBSTONES_KEPT_DAYS = 60  # twice the jobs' retention: versions must outlive all who compare them


class BatchTooLarge(Exception):
    """The commands and the orders they meet are more than one transaction should carry."""


class MongoLedger:
    """The order-writer's collections."""

    def __init__(self, client: MongoClient[Document], database: str, max_bytes: int) -> None:
        self._client = client
        self._database: Database[Document] = client.get_database(database, codec_options=CODEC)
        self._max_bytes = max_bytes

    def prepare(self) -> None:
        """Create what is missing of collections and indexes."""
        self._database[ORDERS].create_indexes(
            [
                IndexModel("deletedAt", expireAfterSeconds=TOMBSTONES_KEPT_DAYS * DAY_SECONDS),
                IndexModel([("updatedAt", ASCENDING), ("_id", ASCENDING)]),
            ]
        )
        self._database[JOBS].create_indexes(
            [
                IndexModel("expireAt", expireAfterSeconds=0),
                IndexModel([("orderId", ASCENDING), ("at", DESCENDING)]),
                _NEWEST,
            ]
        )
        self._database[IDEMPOTENCY].create_indexes([IndexModel("expireAt", expireAfterSeconds=0)])
        self._database[INTEGRATION_LOG].create_indexes(
            [
                IndexModel("at", expireAfterSeconds=KEPT_DAYS * DAY_SECONDS),
                IndexModel([("orderId", ASCENDING), ("at", DESCENDING)]),
                IndexModel([("jobId", ASCENDING)]),
                _NEWEST,
            ]
        )

    def apply(self, items: Sequence[BatchItem]) -> FoldedBatch:
        """
        Apply a batch and return what became of it; to call it again is harmless.

        Raises TooHeavy, and whatever PyMongo raises; then nothing was stored, or, where only the
        answer of the commit was lost, all of it.
        """
        with (
            self._client.start_session() as session,
            session.start_transaction(read_concern=SNAPSHOT, write_concern=DURABLE),
        ):
            folded = fold(
                items,
                self._ledger(items, session),
                self._orders(items, session),
                self._claims(items, session),
            )
            self._write(folded, session)
        return folded

    def _ledger(self, items: Sequence[BatchItem], session: ClientSession) -> dict[str, LedgerEntry]:
        named = {item.replays for item in items if item.replays is not None}
        known = self._entries(named.union(item.job_id for item in items), session)
        # An id that is another command's: this one may have been settled under its position's.
        taken = {
            item.fallback_job_id
            for item in items
            if item.job_id in known and not is_same_command(known[item.job_id], item)
        }
        return known | self._entries(taken, session) if taken else known

    def _entries(self, ids: Iterable[str], session: ClientSession) -> dict[str, LedgerEntry]:
        found = self._database[JOBS].find({"_id": {"$in": list(ids)}}, session=session)
        return {document["_id"]: entry_of(document) for document in found}

    def _claims(
        self, items: Sequence[BatchItem], session: ClientSession
    ) -> dict[str, IdempotencyClaim]:
        keys = [item.idempotency_key for item in items if isinstance(item, DecodedCommand)]
        wanted = [key for key in keys if key is not None]
        if not wanted:
            return {}
        found = self._database[IDEMPOTENCY].find({"_id": {"$in": wanted}}, session=session)
        return {claim.key: claim for claim in map(claim_of, found)}

    def _orders(
        self, items: Sequence[BatchItem], session: ClientSession
    ) -> Mapping[str, OrderState]:
        ids = Counter(item.order_id for item in items if item.order_id and not _blind(item))
        room = self._max_bytes - sum(record_size(item.record) for item in items)
        found: dict[str, OrderState] = {}
        for document in self._database[ORDERS].find({"_id": {"$in": list(ids)}}, session=session):
            # Once for each command: the event of every one carries the order.
            room -= document.get("size", 0) * ids[document["_id"]]
            if room < 0 and len(items) > 1:
                raise BatchTooLarge
            found[document["_id"]] = order_of(document)
        return found

    def _write(self, folded: FoldedBatch, session: ClientSession) -> None:
        if folded.changed:
            writes = [_order_write(order_id, folded) for order_id in sorted(folded.changed)]
            self._database[ORDERS].bulk_write(writes, ordered=False, session=session)
        if folded.entries:
            jobs = [entry_document(entry) for entry in folded.entries]
            self._database[JOBS].insert_many(jobs, ordered=False, session=session)
        for entry in folded.redecided.values():
            self._database[JOBS].replace_one(
                {"_id": entry.job_id}, entry_document(entry), session=session
            )
        if folded.claims:
            claims = [claim_document(claim) for claim in folded.claims]
            self._database[IDEMPOTENCY].insert_many(claims, ordered=False, session=session)
        if folded.log:
            # Not inserted: entries outlive jobs, and a command that comes again after its job is
            # gone is decided, and told of, under the same ids.
            entries = [log_document(entry) for entry in folded.log]
            writes = [ReplaceOne({"_id": it["_id"]}, it, upsert=True) for it in entries]
            self._database[INTEGRATION_LOG].bulk_write(writes, ordered=False, session=session)
        for log_id, at in folded.resolved.items():
            self._database[INTEGRATION_LOG].update_one(
                {"_id": log_id}, {"$set": {"resolvedAt": at}}, session=session
            )


def _blind(item: BatchItem) -> bool:
    return isinstance(item, UnreadableCommand) and item.blind


def _order_write(order_id: str, folded: FoldedBatch) -> InsertOne[Document] | ReplaceOne[Document]:
    state = folded.orders[order_id]
    if state is None:
        raise AssertionError("an order that changed exists, or has left a tombstone")
    document = order_document(order_id, state)
    if order_id in folded.stored:
        return ReplaceOne({"_id": order_id}, document)
    return InsertOne(document)


def claim_document(claim: IdempotencyClaim) -> Document:
    """Return the document of an Idempotency-Key; it expires with the job that it names."""
    return {
        "_id": claim.key,
        "jobId": claim.job_id,
        "fingerprint": claim.fingerprint,
        "at": claim.at,
        "expireAt": claim.at + RETENTION,
    }


def claim_of(document: Document) -> IdempotencyClaim:
    return IdempotencyClaim(
        document["_id"], document["jobId"], document["fingerprint"], document["at"]
    )
