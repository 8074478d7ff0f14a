"""A ledger applies a batch wholly or not at all, and a command once: in memory and in MongoDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import pytest
from pymongo import MongoClient

from order_contracts.commands import Command
from order_contracts.decoding import UnreadableDocument
from order_contracts.integration_log import LogEntry
from order_contracts.topics import COMMANDS, WRITER
from order_runtime.documents.consumer_offsets import GroupOffsets
from order_runtime.documents.jobs import LedgerEntry, entry_of
from order_runtime.documents.orders import LiveOrder, Tombstone, order_of
from order_runtime.documents.senders import Sender
from order_runtime.kafka.records import Outgoing, Record
from order_runtime.mongo.client import (
    CODEC,
    CONSUMER_OFFSETS,
    DEAD_LETTERS,
    IDEMPOTENCY,
    INTEGRATION_LOG,
    JOBS,
    ORDERS,
    Document,
    client,
)
from order_writer.adapters.mongo_store import MongoLedger, claim_of
from order_writer.adapters.stored_offsets import StoredOffsets
from order_writer.app.error_policy import FailureKind, failure_kind
from order_writer.app.ports import Ledger
from order_writer.domain.batch import (
    BatchTooLarge,
    FoldedBatch,
    IdempotencyClaim,
    OwnCommandUnreadable,
)
from order_writer.domain.batch_items import BatchItem, TopicInfo
from order_writer.domain.decide import OrderState
from order_writer.domain.decode import decode, poison_command
from order_writer.domain.events import outgoing_records
from order_writer.domain.offset_tracker import StoredOffsetsBehind
from support.builders.bodies import line
from support.builders.commands import (
    AT,
    FIRST_VERSION,
    PARTITIONS,
    TOPIC_INFO,
    change_status,
    command_record,
    delete,
    raw_record,
    register,
    replace_order,
    seconds_later,
)
from support.builders.gateway_records import OWN_TOPIC, own
from support.fakes.memory_ledger import MemoryLedger, log_entry_of
from support.harness.migrated_database import lent_database

MAX_BYTES = 1024 * 1024
GROUP = GroupOffsets(WRITER, {COMMANDS.name: "topic-1"})


class Store(Protocol):
    """What a ledger keeps, and what else happens to it."""

    def ledger(self) -> Ledger:
        """Return a ledger as one more process has it."""
        ...

    @property
    def jobs(self) -> Mapping[str, LedgerEntry]: ...
    @property
    def orders(self) -> Mapping[str, OrderState]: ...
    @property
    def claims(self) -> Mapping[str, IdempotencyClaim]: ...
    @property
    def log(self) -> Mapping[str, LogEntry]: ...
    @property
    def letters(self) -> Mapping[str, Document]: ...
    def expire(self, collection: str, document_id: str) -> None: ...
    def spoil_order(self, order_id: str) -> None:
        """Make an order's document one that can't be read."""
        ...

    def spoil_job(self, job_id: str) -> None:
        """Likewise a job's."""

    def stored_offset(self, partition: int) -> int: ...
    def restore_offset(self, partition: int, offset: int) -> None:
        """Store a lower offset, as a restored database does."""
        ...


class MemoryStore(MemoryLedger):
    """The fake, which any number of processes share."""

    def ledger(self) -> Ledger:
        return self

    def expire(self, collection: str, document_id: str) -> None:
        documents = {JOBS: self.job_documents, INTEGRATION_LOG: self.log_documents}
        documents[collection].delete(document_id)

    def spoil_order(self, order_id: str) -> None:
        self.order_documents.set(order_id, order={"status": "?"})

    def spoil_job(self, job_id: str) -> None:
        self.job_documents.set(job_id, operation=99)

    def stored_offset(self, partition: int) -> int:
        return self.offsets.get(partition, 0)

    def restore_offset(self, partition: int, offset: int) -> None:
        self.offsets[partition] = offset


@dataclass(frozen=True)
class MongoStore:
    """The real ledger on a database of the test's own."""

    client: MongoClient[Document]
    database: str

    def ledger(self) -> MongoLedger:
        offsets = StoredOffsets(self.client, self.database, GROUP)
        offsets.begin(dict.fromkeys(range(PARTITIONS), 0))
        return MongoLedger(self.client, self.database, MAX_BYTES, offsets)

    @property
    def jobs(self) -> Mapping[str, LedgerEntry]:
        return {it["_id"]: entry_of(it) for it in self._all(JOBS)}

    @property
    def orders(self) -> Mapping[str, OrderState]:
        return {it["_id"]: order_of(it) for it in self._all(ORDERS)}

    @property
    def claims(self) -> Mapping[str, IdempotencyClaim]:
        return {it["_id"]: claim_of(it) for it in self._all(IDEMPOTENCY)}

    @property
    def log(self) -> Mapping[str, LogEntry]:
        return {it["_id"]: log_entry_of(it) for it in self._all(INTEGRATION_LOG)}

    @property
    def letters(self) -> Mapping[str, Document]:
        return {it["_id"]: it for it in self._all(DEAD_LETTERS)}

    def expire(self, collection: str, document_id: str) -> None:
        self.client[self.database][collection].delete_one({"_id": document_id})

    def spoil_order(self, order_id: str) -> None:
        spoilt = {"$set": {"order": {"status": "?"}}}
        self.client[self.database][ORDERS].update_one({"_id": order_id}, spoilt)

    def spoil_job(self, job_id: str) -> None:
        self.client[self.database][JOBS].update_one({"_id": job_id}, {"$set": {"operation": 99}})

    def stored_offset(self, partition: int) -> int:
        [found] = self.client[self.database][CONSUMER_OFFSETS].find({"_id": place(partition)})
        return int(found["next"])

    def restore_offset(self, partition: int, offset: int) -> None:
        lower = {"$set": {"next": offset}}
        self.client[self.database][CONSUMER_OFFSETS].update_one({"_id": place(partition)}, lower)

    def _all(self, collection: str) -> list[Document]:
        database = self.client.get_database(self.database, codec_options=CODEC)
        return database[collection].find().to_list()


def place(partition: int) -> str:
    return f"order-writer/orders.commands/{partition}"


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore(max_bytes=MAX_BYTES)
        return
    mongo = request.getfixturevalue("stack").mongo
    with client(mongo, "test") as connected, lent_database(mongo, WRITER, expires=False) as name:
        yield MongoStore(connected, name)


def apply(store: Store, *records: Record, topic: TopicInfo = TOPIC_INFO) -> FoldedBatch:
    return store.ledger().apply([decode(each, topic) for each in records])


def announced(folded: FoldedBatch) -> list[Outgoing]:
    return list(outgoing_records(folded))


def codes(store: Store) -> dict[str, str | None]:
    """Return why each job failed, None where it was applied."""
    jobs = store.jobs.values()
    return {entry.job_id: entry.failure.code if entry.failure else None for entry in jobs}


def contents(store: Store) -> tuple[object, ...]:
    return store.jobs, store.orders, store.claims, store.log


def keyed(sent: Record, key: str = "k") -> Record:
    return replace(sent, headers=(*sent.headers, ("ce_idempotencykey", key.encode())))


def replay(sent: Record, job_id: str) -> Record:
    """Return the replay of the dead letter of *sent*."""
    headers = (*sent.headers, ("orders-replay", job_id.encode()))
    return replace(sent, offset=sent.offset + 2_000, at=seconds_later(600), headers=headers)


REGISTER = command_record(
    register(orderAction={"action": "Custom", "data": {"a.b": {"$c": 1}}}), "job-1"
)
AHEAD = raw_record(register(createdAt=seconds_later(400).isoformat()).to_json(), job_id="job-1")
"""Unreadable, because its time lies ahead, until it is replayed ten minutes later."""


def test_what_apply_returns_is_what_is_stored(store: Store) -> None:
    """Also to the last digit of a price, and to the names in a free object."""
    free = {"a.b": {"$set": [1e14, 0.1, None]}, "": "", "ä": True}
    sent = command_record(register(lines=[line(totalPrice=0.30000001, extraData=free)]), "job-1")

    folded = apply(store, keyed(sent), raw_record(b"{", job_id="job-2"))

    assert list(store.jobs.values()) == folded.entries
    assert list(store.claims.values()) == folded.claims
    assert list(store.log.values()) == folded.log
    (before,), (after,) = folded.orders.values(), store.orders.values()
    assert isinstance(before, LiveOrder)
    assert isinstance(after, LiveOrder)
    assert after.view().to_json() == before.view().to_json()
    assert replace(after, order=before.order) == before


def test_an_order_is_stored_without_its_action(store: Store) -> None:
    """The job has that: the order would show it for good."""
    apply(store, REGISTER)
    order = store.orders["o-1"]
    assert isinstance(order, LiveOrder)
    assert order.order.order_action is None
    assert store.jobs["job-1"].action is not None


def test_the_next_batch_builds_on_what_is_stored(store: Store) -> None:
    commands: list[Command] = [register(), change_status(), replace_order(), delete()]
    for number, sent in enumerate(commands):
        apply(store, command_record(sent, f"job-{number}"))
    versions = [store.jobs[f"job-{n}"].version for n in range(4)]
    assert versions == [FIRST_VERSION + n for n in range(4)]
    assert store.orders == {"o-1": Tombstone(FIRST_VERSION + 3, AT)}


def test_versions_go_on_over_a_stored_tombstone(store: Store) -> None:
    commands: list[Command] = [register(), delete(), register()]
    for number, sent in enumerate(commands):
        apply(store, command_record(sent, f"job-{number}"))
    order = store.orders["o-1"]
    assert isinstance(order, LiveOrder)
    assert (order.version, order.registered_by) == (FIRST_VERSION + 2, "job-2")


def test_a_batch_that_is_applied_again_changes_nothing_and_has_the_same_answers(
    store: Store,
) -> None:
    """A crash before the commit of the offsets; the events are the same, byte for byte."""
    batch = [
        keyed(REGISTER),
        raw_record(b"{", job_id="job-2"),
        command_record(change_status("o-2"), "job-3"),
    ]
    first, stored = announced(apply(store, *batch)), contents(store)
    assert announced(apply(store, *batch)) == first
    assert contents(store) == stored


def test_an_id_of_another_command_is_refused_once_under_the_id_of_its_position(
    store: Store,
) -> None:
    other = command_record(register("o-2"), "job-1")
    apply(store, REGISTER)
    for _ in range(2):
        apply(store, other)
    assert codes(store) == {"job-1": None, decode(other, TOPIC_INFO).fallback_job_id: "IdReused"}
    assert set(store.orders) == {"o-1"}


def test_an_idempotency_key_is_remembered_from_batch_to_batch(store: Store) -> None:
    retry, other = replace(REGISTER, offset=99), command_record(delete(), "job-3")
    apply(store, keyed(REGISTER))
    apply(store, keyed(replace(retry, headers=command_record(register(), "job-2").headers)))
    apply(store, keyed(other))
    assert store.jobs["job-2"].alias_of == "job-1"
    assert codes(store)["job-3"] == "IdempotencyKeyReused"
    assert store.claims["k"].job_id == "job-1"


def test_a_replay_replaces_the_job_that_failed_and_resolves_its_log_entry(store: Store) -> None:
    apply(store, AHEAD)
    again = replay(AHEAD, "job-1")
    apply(store, again)
    assert codes(store) == {"job-1": None}
    assert store.jobs["job-1"].at == again.at
    assert [entry.resolved_at for entry in store.log.values()] == [again.at]


def test_a_dead_letter_is_a_document_without_its_value(store: Store) -> None:
    """Of a batch that comes again it is the same one; an operator's mark on it stays."""
    client = ("ce_client", b"shop")  # which counts where a gateway wrote it
    bad = raw_record(b'{"person": "kim@example.com"}', job_id="job-1", headers=(client,), offset=7)
    apply(store, bad)
    apply(store, bad)
    [letter] = store.letters.values()
    assert letter["_id"] == f"orders.commands/{bad.partition}/7/1"
    told = [letter.get(it) for it in ("code", "orderId", "jobId", "source", "client", "state")]
    assert told == ["ValidationFailed", "o-1", "job-1", "/test", None, "open"]
    assert "kim" not in str(letter)


def test_the_letter_of_a_replay_replaces_and_a_decision_settles_the_ones_before(
    store: Store,
) -> None:
    apply(store, AHEAD)
    failed = replace(replay(AHEAD, "job-1"), offset=AHEAD.offset + 1, at=seconds_later(1))
    apply(store, replace(failed, headers=(*failed.headers, ("orders-attempt", b"1"))))
    assert [it["state"] for it in by_attempt(store)] == ["replayed", "open"]
    apply(store, replace(replay(AHEAD, "job-1"), at=seconds_later(600)))
    assert [it["state"] for it in by_attempt(store)] == ["settled", "settled"]


def by_attempt(store: Store) -> list[Document]:
    return sorted(store.letters.values(), key=lambda it: int(it["attempt"]))


def test_a_job_says_who_sent_its_command(store: Store) -> None:
    apply(store, command_record(register(), "job-1"))
    assert store.jobs["job-1"].sender == Sender("/test")


def test_a_replay_whose_log_entry_has_expired_is_applied(store: Store) -> None:
    apply(store, AHEAD)
    (entry,) = store.log
    store.expire(INTEGRATION_LOG, entry)
    apply(store, replay(AHEAD, "job-1"))
    assert (codes(store), store.log) == ({"job-1": None}, {})


def test_a_command_whose_job_has_expired_is_decided_again(store: Store) -> None:
    """Entries of the integration log are kept for longer than jobs: its own is there already."""
    bad = raw_record(b"{", job_id="job-1")
    apply(store, bad)
    store.expire(JOBS, "job-1")
    apply(store, bad)
    assert codes(store) == {"job-1": "ValidationFailed"}
    assert len(store.log) == 1


def test_of_a_batch_with_an_unreadable_command_of_ours_nothing_is_stored(store: Store) -> None:
    with pytest.raises(OwnCommandUnreadable):
        apply(store, REGISTER, own(b"{"), topic=OWN_TOPIC)
    assert contents(store) == ({}, {}, {}, {})


def test_a_batch_whose_orders_are_too_large_is_refused_whole(store: Store) -> None:
    """Each command counts its order, since its event carries it; alone, a command always goes."""
    large = register(lines=[line(extraData={"a": "x" * 16_000})] * 30)
    apply(store, command_record(large, "job-1"))
    changes = [command_record(change_status(), f"job-{n}") for n in range(2, 5)]
    with pytest.raises(BatchTooLarge):
        apply(store, *changes)
    assert set(store.jobs) == {"job-1"}
    apply(store, changes[0])
    assert set(store.jobs) == {"job-1", "job-2"}


def test_a_command_on_an_order_that_can_not_be_read_fails_with_its_batch(store: Store) -> None:
    apply(store, REGISTER)
    store.spoil_order("o-1")
    with pytest.raises(UnreadableDocument):
        apply(
            store,
            command_record(register("o-2"), "job-2"),
            command_record(change_status(), "job-3"),
        )
    assert set(store.jobs) == {"job-1"}


def test_a_command_is_refused_without_reading_its_order(store: Store) -> None:
    apply(store, REGISTER)
    store.spoil_order("o-1")
    poison = poison_command(command_record(change_status(), "job-2"), TOPIC_INFO)
    with pytest.raises(UnreadableDocument):
        store.ledger().apply([poison])
    store.ledger().apply([replace(poison, without_stored=True)])
    assert codes(store) == {"job-1": None, "job-2": "InternalError"}


def test_a_command_whose_job_can_not_be_read_is_refused_under_another_id(store: Store) -> None:
    """Its job may be done; nobody can tell, and it stays as it is, for a release that can."""
    apply(store, REGISTER)
    store.spoil_job("job-1")
    again = poison_command(REGISTER, TOPIC_INFO)
    with pytest.raises(UnreadableDocument):
        store.ledger().apply([again])
    first = store.ledger().apply([replace(again, without_stored=True)])
    second = store.ledger().apply([replace(again, without_stored=True)])
    ((_, entry),) = first.answers
    assert (entry.job_id, entry.failure and entry.failure.code) == (
        again.fallback_job_id,
        "InternalError",
    )
    assert [it.job_id for _, it in second.answers] == [again.fallback_job_id]
    assert second.entries == []


def decoded(*records: Record) -> list[BatchItem]:
    return [decode(each, TOPIC_INFO) for each in records]


def test_offsets_are_stored_with_their_batch_and_never_lowered(store: Store) -> None:
    """Another worker may be further, or this one reads again what was done."""
    ledger = store.ledger()
    ledger.apply(decoded(REGISTER), {3: 7, 4: 1})
    ledger.apply(decoded(command_record(register("o-2"), "job-2")), {3: 9})
    store.ledger().apply(decoded(REGISTER), {3: 7})
    assert (store.stored_offset(3), store.stored_offset(4)) == (9, 1)


def test_of_a_batch_that_fails_no_offset_is_stored(store: Store) -> None:
    apply(store, REGISTER)
    store.spoil_order("o-1")
    with pytest.raises(UnreadableDocument):
        store.ledger().apply(decoded(command_record(change_status(), "job-2")), {3: 8})
    assert store.stored_offset(3) == 0


def test_a_ledger_that_was_restored_under_a_process_takes_no_batch_of_it(store: Store) -> None:
    """Whatever lies between would be skipped."""
    ledger = store.ledger()
    ledger.apply(decoded(REGISTER), {3: 7})
    store.restore_offset(3, 5)
    with pytest.raises(StoredOffsetsBehind):
        ledger.apply(decoded(command_record(register("o-2"), "job-2")), {3: 9})
    assert (set(store.jobs), store.stored_offset(3)) == ({"job-1"}, 5)


def test_two_processes_that_apply_the_same_batches_apply_each_command_once(store: Store) -> None:
    """As around a rebalance; the slower one is told of the conflict, and tries again."""
    batches = [
        [
            decode(command_record(change_status(f"o-{n % 3}"), f"change-{n}-{m}"), TOPIC_INFO)
            for m in range(5)
        ]
        for n in range(10)
    ]
    apply(store, *[command_record(register(f"o-{n}"), f"job-{n}") for n in range(3)])

    def run(ledger: Ledger) -> list[list[str]]:
        return [in_the_end(ledger, batch) for batch in batches]

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(run, [store.ledger(), store.ledger()])

    assert one == other
    assert len(store.jobs) == 3 + 50
    changes = {
        order_id: state.version - FIRST_VERSION for order_id, state in store.orders.items() if state
    }
    assert changes == {"o-0": 20, "o-1": 15, "o-2": 15}


def in_the_end(ledger: Ledger, batch: Sequence[BatchItem], attempts: int = 200) -> list[str]:
    """Apply *batch*, again after each conflict; return the jobs of its answers."""
    for _ in range(attempts):
        try:
            return [entry.job_id for _, entry in ledger.apply(batch).answers]
        except Exception as error:
            if failure_kind(error) is not FailureKind.CONFLICT:
                raise
    raise AssertionError(f"{attempts} conflicts one after the other")
