"""The order-writer's ledger in memory: BSON documents in dictionaries instead of collections."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import bson

from order_contracts.integration_log import LogEntry
from order_runtime.documents.integration_log import log_document
from order_runtime.documents.jobs import LedgerEntry, entry_document, entry_of
from order_runtime.documents.orders import order_document, order_of
from order_runtime.mongo.client import CODEC, Document
from order_writer.adapters.mongo_store import claim_document, claim_of, entries_of
from order_writer.domain.batch import BatchTooLarge, FoldedBatch, IdempotencyClaim, fold
from order_writer.domain.batch_items import BatchItem, DecodedCommand, UnreadableCommand
from order_writer.domain.decide import OrderState
from order_writer.domain.events import letter_documents
from order_writer.domain.ledger_lookup import fallback_job_ids, job_ids
from order_writer.domain.offset_tracker import NO_OFFSETS, StoredOffsetsBehind
from order_writer.domain.record_ids import record_size

Calls = list[str]
"""The calls that fakes received, in order; several fakes may share one."""


class MemoryCollection:
    """The documents of a collection, each as the BSON that MongoDB would store."""

    def __init__(self) -> None:
        self._encoded: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._encoded)

    def find(self, ids: Iterable[str]) -> list[Document]:
        return [self[each] for each in ids if each in self._encoded]

    def all(self) -> list[Document]:
        return self.find(self._encoded)

    def __getitem__(self, document_id: str) -> Document:
        return bson.decode(self._encoded[document_id], codec_options=CODEC)

    def insert(self, document: Document) -> None:
        assert document["_id"] not in self._encoded, "a duplicate key"
        self.put(document)

    def put(self, document: Document) -> None:
        self._encoded[document["_id"]] = bson.encode(document, codec_options=CODEC)

    def set(self, document_id: str, **fields: object) -> None:
        """Set fields of a document, if it exists."""
        for found in self.find([document_id]):
            self.put(found | fields)

    def delete(self, document_id: str) -> None:
        del self._encoded[document_id]


@dataclass
class MemoryLedger:
    """Applies each batch wholly or not at all, for any number of threads."""

    calls: Calls = field(default_factory=list)
    max_bytes: int = 16 * 1024 * 1024
    offsets: dict[int, int] = field(default_factory=dict)
    """The stored next offset of each partition; a source may share it."""

    def __post_init__(self) -> None:
        self.job_documents, self.order_documents = MemoryCollection(), MemoryCollection()
        self.claim_documents, self.log_documents = MemoryCollection(), MemoryCollection()
        self.letter_documents = MemoryCollection()
        self._seen: dict[int, int] = {}
        self._transaction = threading.Lock()

    def restart(self) -> None:
        """Go on as the next process does, which has seen no stored offset yet."""
        self._seen.clear()

    @property
    def jobs(self) -> dict[str, LedgerEntry]:
        return {it["_id"]: entry_of(it) for it in self.job_documents.all()}

    @property
    def orders(self) -> dict[str, OrderState]:
        return {it["_id"]: order_of(it) for it in self.order_documents.all()}

    @property
    def claims(self) -> dict[str, IdempotencyClaim]:
        return {it["_id"]: claim_of(it) for it in self.claim_documents.all()}

    @property
    def log(self) -> dict[str, LogEntry]:
        return {it["_id"]: log_entry_of(it) for it in self.log_documents.all()}

    @property
    def letters(self) -> dict[str, Document]:
        return {it["_id"]: it for it in self.letter_documents.all()}

    def apply(
        self, items: Sequence[BatchItem], offsets: Mapping[int, int] = NO_OFFSETS
    ) -> FoldedBatch:
        with self._transaction:
            self.calls.append("apply")
            folded = fold(items, self._known(items), self._orders(items), self._claims(items))
            if any(self.offsets.get(it, 0) < self._seen.get(it, 0) for it in offsets):
                self._seen = dict(self.offsets)
                raise StoredOffsetsBehind
            self._write(folded)
            self.offsets |= {it: max(at, self.offsets.get(it, 0)) for it, at in offsets.items()}
            self._seen |= {it: self.offsets[it] for it in offsets}
            return folded

    def _known(self, items: Sequence[BatchItem]) -> dict[str, LedgerEntry]:
        known = entries_of(self.job_documents.find(job_ids(items)), items)
        fallbacks = self.job_documents.find(fallback_job_ids(items, known))
        return known | entries_of(fallbacks, items)

    def _orders(self, items: Sequence[BatchItem]) -> dict[str, OrderState]:
        ids = Counter(it.order_id for it in items if it.order_id and not _is_without_stored(it))
        found = self.order_documents.find(ids)
        size = sum(record_size(item.record) for item in items)
        size += sum(it.get("size", 0) * ids[it["_id"]] for it in found)
        if found and size > self.max_bytes and len(items) > 1:
            raise BatchTooLarge
        return {it["_id"]: order_of(it) for it in found}

    def _claims(self, items: Sequence[BatchItem]) -> dict[str, IdempotencyClaim]:
        commands = [item for item in items if isinstance(item, DecodedCommand)]
        wanted = [key for command in commands for key in command.idempotency_keys]
        return {it["_id"]: claim_of(it) for it in self.claim_documents.find(wanted)}

    def _write(self, folded: FoldedBatch) -> None:
        for order_id in folded.changed:
            state = folded.orders[order_id]
            assert state is not None
            self.order_documents.put(order_document(order_id, state))
        for entry in folded.entries:
            self.job_documents.insert(entry_document(entry))
        for entry in folded.redecided.values():
            self.job_documents.put(entry_document(entry))
        for claim in folded.claims:
            self.claim_documents.insert(claim_document(claim))
        for line in folded.log:
            self.log_documents.put(log_document(line))
        for log_id, at in folded.resolved.items():
            self.log_documents.set(log_id, resolvedAt=at)
        self._write_letters(folded)

    def _write_letters(self, folded: FoldedBatch) -> None:
        for letter in letter_documents(folded, datetime.now(UTC)):
            if not any(
                it["at"] >= letter["at"] for it in self.letter_documents.find([letter["_id"]])
            ):
                self.letter_documents.put(letter)
            self._move_letters(letter["jobId"], "replayed", before=letter)
        for job_id, entry in folded.redecided.items():
            if entry.decoded:
                self._move_letters(job_id, "settled")

    def _move_letters(self, job_id: str, state: str, before: Document | None = None) -> None:
        """Move the letters of a job that are not done, or only those *before* a later one."""
        for it in self.letter_documents.all():
            earlier = before is None or (it["at"], it["offset"]) < (before["at"], before["offset"])
            if it["jobId"] == job_id and it["state"] in {"open", "replayed"} and earlier:
                self.letter_documents.set(it["_id"], state=state)


def _is_without_stored(item: BatchItem) -> bool:
    return isinstance(item, UnreadableCommand) and item.without_stored


def log_entry_of(document: Document) -> LogEntry:
    """Return the entry of a document of the integration log."""
    return LogEntry.model_validate({**document, "id": document["_id"]})


@dataclass
class FailingLedger:
    """Raises the error that `failing` returns for a batch; applies the batch where it is None."""

    inner: MemoryLedger
    failing: Callable[[Sequence[BatchItem]], Exception | None]
    asked: list[int] = field(default_factory=list)
    """The number of commands of each call."""

    def apply(
        self, items: Sequence[BatchItem], offsets: Mapping[int, int] = NO_OFFSETS
    ) -> FoldedBatch:
        self.asked.append(len(items))
        error = self.failing(items)
        if error is not None:
            raise error
        return self.inner.apply(items, offsets)
