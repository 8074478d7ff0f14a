"""Orders, jobs, the log and dead letters' documents: each batch in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from pymongo import InsertOne, MongoClient, ReplaceOne, UpdateMany
from pymongo.client_session import ClientSession
from pymongo.database import Database

from order_contracts.topics import COMMANDS
from order_runtime.documents.dead_letters import settled_jobs
from order_runtime.documents.document import field, stored
from order_runtime.documents.integration_log import log_document
from order_runtime.documents.jobs import RETENTION, LedgerEntry, entry_document, entry_of
from order_runtime.documents.orders import LiveOrder, order_document, order_of
from order_runtime.mongo.client import (
    CODEC,
    DEAD_LETTERS,
    DURABLE,
    IDEMPOTENCY,
    INTEGRATION_LOG,
    JOBS,
    ORDERS,
    SNAPSHOT,
    Document,
)
from order_runtime.mongo.dead_letter_writes import LetterWrite, letter_writes
from order_writer.adapters.stored_offsets import StoredOffsets
from order_writer.domain.batch import (
    BatchTooLarge,
    FoldedBatch,
    IdempotencyClaim,
    fold,
)
from order_writer.domain.batch_items import BatchItem, DecodedCommand, UnreadableCommand
from order_writer.domain.decide import OrderState
from order_writer.domain.events import letter_documents
from order_writer.domain.ledger_entries import unread_entry
from order_writer.domain.ledger_lookup import fallback_job_ids, job_ids
from order_writer.domain.offset_tracker import NO_OFFSETS
from order_writer.domain.record_ids import record_size


class MongoLedger:
    """The order-writer's collections; for one thread."""

    def __init__(
        self,
        client: MongoClient[Document],
        database: str,
        max_bytes: int,
        offsets: StoredOffsets,
    ) -> None:
        self._client, self._offsets = client, offsets
        self._database: Database[Document] = client.get_database(database, codec_options=CODEC)
        self._max_bytes = max_bytes

    def apply(
        self, items: Sequence[BatchItem], offsets: Mapping[int, int] = NO_OFFSETS
    ) -> FoldedBatch:
        """
        Fold a batch over what is stored, and store the result and the next *offsets* with it.

        To apply it again is harmless. Raises BatchTooLarge, OwnCommandUnreadable,
        UnreadableStored, StoredOffsetsBehind and PyMongo's errors. Then nothing was stored, or,
        where only the answer to the commit was lost, all of it.
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
            self._offsets.advance(offsets, session)
        self._offsets.advanced(offsets)
        return folded

    def _ledger(self, items: Sequence[BatchItem], session: ClientSession) -> dict[str, LedgerEntry]:
        known = entries_of(self._jobs(job_ids(items), session), items)
        taken = fallback_job_ids(items, known)
        return known | entries_of(self._jobs(taken, session), items) if taken else known

    def _jobs(self, ids: Iterable[str], session: ClientSession) -> Iterable[Document]:
        return self._database[JOBS].find({"_id": {"$in": list(ids)}}, session=session)

    def _claims(
        self, items: Sequence[BatchItem], session: ClientSession
    ) -> dict[str, IdempotencyClaim]:
        commands = [item for item in items if isinstance(item, DecodedCommand)]
        wanted = [key for command in commands for key in command.idempotency_keys]
        if not wanted:
            return {}
        found = self._database[IDEMPOTENCY].find({"_id": {"$in": wanted}}, session=session)
        claims = [stored(IDEMPOTENCY, document, claim_of) for document in found]
        return {claim.key: claim for claim in claims}

    def _orders(
        self, items: Sequence[BatchItem], session: ClientSession
    ) -> Mapping[str, OrderState]:
        ids = Counter(
            item.order_id for item in items if item.order_id and not _is_without_stored(item)
        )
        bytes_left = self._max_bytes - sum(record_size(item.record) for item in items)
        found: dict[str, OrderState] = {}
        for document in self._database[ORDERS].find({"_id": {"$in": list(ids)}}, session=session):
            # Once for each command, since the event of each carries the order.
            order = stored(ORDERS, document, order_of)
            bytes_left -= (order.size if isinstance(order, LiveOrder) else 0) * ids[document["_id"]]
            if bytes_left < 0 and len(items) > 1:
                raise BatchTooLarge
            found[document["_id"]] = order
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
            # Not inserted: entries are kept for longer than jobs, and a command that comes again
            # when its job has expired is decided again, with entries of the same ids.
            entries = [log_document(entry) for entry in folded.log]
            writes = [ReplaceOne({"_id": it["_id"]}, it, upsert=True) for it in entries]
            self._database[INTEGRATION_LOG].bulk_write(writes, ordered=False, session=session)
        for log_id, at in folded.resolved.items():
            self._database[INTEGRATION_LOG].update_one(
                {"_id": log_id}, {"$set": {"resolvedAt": at}}, session=session
            )
        if letters := _letter_writes(folded):
            self._database[DEAD_LETTERS].bulk_write(letters, session=session)


def entries_of(documents: Iterable[Document], items: Sequence[BatchItem]) -> dict[str, LedgerEntry]:
    """
    Return the ledger's entries of job documents, for a batch of *items*.

    Raises UnreadableStored; where all *items* are refused whatever is stored, a job that can't be
    read is another command's, as far as anybody can tell.
    """
    read = entry_or_stranger if all(map(_is_without_stored, items)) else entry_of
    return {document["_id"]: stored(JOBS, document, read) for document in documents}


def entry_or_stranger(document: Document) -> LedgerEntry:
    try:
        return entry_of(document)
    except Exception:  # noqa: BLE001  any error of a document that is damaged
        return unread_entry(document["_id"])


def _is_without_stored(item: BatchItem) -> bool:
    return isinstance(item, UnreadableCommand) and item.without_stored


def _letter_writes(folded: FoldedBatch) -> list[LetterWrite]:
    """Return the writes of a batch's dead letters, and of those whose commands are decided now."""
    writes = letter_writes(list(letter_documents(folded, datetime.now(UTC))))
    decided = [job_id for job_id, entry in folded.redecided.items() if entry.decoded]
    return [*writes, UpdateMany(*settled_jobs(COMMANDS.name, decided))] if decided else writes


def _order_write(order_id: str, folded: FoldedBatch) -> InsertOne[Document] | ReplaceOne[Document]:
    state = folded.orders[order_id]
    if state is None:
        raise AssertionError("an order that changed has a state")
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
        document["_id"],
        field(document, "jobId", str),
        field(document, "fingerprint", str),
        field(document, "at", datetime),
    )
