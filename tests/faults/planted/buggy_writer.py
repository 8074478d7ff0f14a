"""
An order-writer with one planted bug: python -m faults.planted.buggy_writer BUG

It is composed like the real one, except for one part with the bug. The check of the history must
find each of them.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pymongo import ReplaceOne
from pymongo.client_session import ClientSession

from order_contracts.commands import RegisterOrder
from order_contracts.topics import COMMANDS, WRITER
from order_runtime.documents.jobs import LedgerEntry, entry_document
from order_runtime.documents.orders import LiveOrder, Tombstone
from order_runtime.kafka.publisher import BatchPublisher
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import JOBS, client
from order_runtime.process.settings import load
from order_runtime.process.signals import stop_event
from order_runtime.startup.preflight import check_topics
from order_runtime.startup.stored_offsets import group_of
from order_writer.adapters.kafka_consumer import KafkaCommandSource
from order_writer.adapters.mongo_store import MongoLedger
from order_writer.adapters.stored_offsets import StoredOffsets
from order_writer.app.batch_processor import BatchProcessor
from order_writer.domain.batch import FoldedBatch
from order_writer.domain.batch_items import BatchItem, DecodedCommand, TopicInfo
from order_writer.domain.decide import OrderState
from order_writer.domain.offset_tracker import NO_OFFSETS, ends
from order_writer.settings import Settings


class CommitsFirst(KafkaCommandSource):
    """Stores and commits a batch's offsets before it is processed, then kills the process."""

    def take(self, limit: int, wait: float) -> list[Record]:
        records = super().take(limit, wait)
        if records:
            self._stored.settle(ends(records))
            self.commit(records)
            self.close()  # waits until the commit was sent
            os.kill(os.getpid(), signal.SIGKILL)
        return records


class ForgetsTheLedger(MongoLedger):
    """Finds no job in the ledger, so that every command counts as new."""

    def _ledger(self, items: Sequence[BatchItem], session: ClientSession) -> dict[str, LedgerEntry]:
        del items, session
        return {}

    def _write(self, folded: FoldedBatch, session: ClientSession) -> None:
        super()._write(replace(folded, entries=[]), session)
        jobs = [
            ReplaceOne({"_id": entry.job_id}, entry_document(entry), upsert=True)
            for entry in folded.entries
        ]
        if jobs:
            self._database[JOBS].bulk_write(jobs, session=session)


class SkipsWhatItKnows(MongoLedger):
    """Announces no outcome for a command that was applied before."""

    def apply(
        self, items: Sequence[BatchItem], offsets: Mapping[int, int] = NO_OFFSETS
    ) -> FoldedBatch:
        folded = super().apply(items, offsets)
        new = {entry.job_id for entry in folded.entries}
        answers = [(item, entry) for item, entry in folded.answers if entry.job_id in new]
        return replace(folded, answers=answers)


class Overwrites(MongoLedger):
    """Registers an order that exists, and overwrites it."""

    def _orders(
        self, items: Sequence[BatchItem], session: ClientSession
    ) -> Mapping[str, OrderState]:
        new = {it.order_id for it in _decoded(items) if isinstance(it.command, RegisterOrder)}
        return {
            order_id: Tombstone(state.version, state.registered_at)
            if isinstance(state, LiveOrder) and order_id in new
            else state
            for order_id, state in super()._orders(items, session).items()
        }


class BeginsAnew(MongoLedger):
    """Restarts the versions of a deleted order at 1."""

    def _write(self, folded: FoldedBatch, session: ClientSession) -> None:
        for order_id in folded.changed & folded.stored:
            state = folded.orders[order_id]
            if isinstance(state, LiveOrder) and state.job_id == state.registered_by:
                anew = replace(state, version=1, contact_version=1, contact_since=1)
                folded.orders[order_id] = anew
                folded.answers = [
                    (item, _as_first(entry, state.job_id)) for item, entry in folded.answers
                ]
                folded.entries = [_as_first(entry, state.job_id) for entry in folded.entries]
        super()._write(folded, session)


def _as_first(entry: LedgerEntry, job_id: str) -> LedgerEntry:
    return replace(entry, version=1) if entry.job_id == job_id else entry


def _decoded(items: Iterable[BatchItem]) -> list[DecodedCommand]:
    return [item for item in items if isinstance(item, DecodedCommand)]


def _says_so(record: Record) -> bool:
    """Whether a record claims to be a gateway's: the bug is to ask for no proof."""
    return ("ce_source", b"/gateway") in record.headers


STORES: dict[str, type[MongoLedger]] = {
    "forgets-the-ledger": ForgetsTheLedger,
    "skips-what-it-knows": SkipsWhatItKnows,
    "overwrites": Overwrites,
    "begins-anew": BeginsAnew,
}


def main(bug: str) -> None:
    settings = load(Settings)
    topics = check_topics(settings.kafka_address, WRITER, settings.partitions)
    topic = topics[COMMANDS.name]
    mongo = client(settings.mongo_uri, WRITER)
    offsets = StoredOffsets(mongo, settings.database, group_of(WRITER, topics))
    store = STORES.get(bug, MongoLedger)(mongo, settings.database, settings.batch_bytes, offsets)
    kind: Any = CommitsFirst if bug == "commits-first" else KafkaCommandSource
    source = kind(settings.kafka_address, settings.instance, offsets)
    sink = BatchPublisher(settings.kafka_address, settings.instance)
    reads = TopicInfo(
        topic.id,
        topic.partitions,
        issued=lambda _: False,
        signed=_says_so if bug == "believes-the-source" else lambda _: False,
    )
    writer = BatchProcessor(source, store, sink, reads, stop_event())
    writer.run(settings.batch_commands, settings.batch_bytes)
    source.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
