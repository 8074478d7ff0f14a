"""Read, apply, announce, commit: the order of the four, and what each failure makes of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from pymongo.errors import AutoReconnect, DuplicateKeyError, NetworkTimeout, OperationFailure

from order_runtime.documents.document import UnreadableStored
from order_runtime.kafka.records import Outgoing, Record, split_by_size
from order_runtime.process.isolation import MAX_UNREADABLE, EverythingFails
from order_writer.app.batch_processor import BatchProcessor
from order_writer.app.poison_isolation import (
    ATTEMPTS_ALONE,
    ATTEMPTS_TOGETHER,
    IMMEDIATE_RETRIES,
)
from order_writer.app.ports import Ledger
from order_writer.domain.batch import OwnCommandUnreadable
from order_writer.domain.batch_items import BatchItem, TopicInfo, UnreadableCommand
from support.builders.commands import (
    FIRST_VERSION,
    TOPIC_INFO,
    change_status,
    command_record,
    raw_record,
    register,
)
from support.builders.gateway_records import OWN_TOPIC, claimed, issued_id, own
from support.fakes.memory_kafka import MemorySink
from support.fakes.memory_ledger import Calls, FailingLedger, MemoryLedger
from support.fakes.memory_source import Killed, MemorySource

Failing = Callable[[Sequence[BatchItem]], Exception | None]


def commands(count: int) -> list[Record]:
    return [command_record(register(f"o-{n}"), f"job-{n}") for n in range(count)]


@dataclass
class Parts:
    """A writer's parts, sharing one list of the calls that they receive."""

    records: list[Record]
    calls: Calls = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    topic: TopicInfo = TOPIC_INFO

    def __post_init__(self) -> None:
        self.memory = MemoryLedger(self.calls)
        self.source = MemorySource(self.records, self.calls, stored=self.memory.offsets)
        self.ledger: Ledger = self.memory
        self.sink = MemorySink(self.calls)

    def failing(self, failing: Failing) -> FailingLedger:
        ledger = FailingLedger(self.memory, failing)
        self.ledger = ledger
        return ledger

    def run(self, batch: int = 100) -> None:
        """Run until no record is left, or the writer stops by itself."""
        self.source.on_end = self.stop.set
        writer = BatchProcessor(self.source, self.ledger, self.sink, self.topic, self.stop)
        writer.run(batch, 1024 * 1024)

    def restart(self) -> None:
        """Go on as the next process does: with what was stored and what was committed."""
        self.stop.clear()
        self.source = self.source.restarted()
        self.memory.restart()
        self.sink = MemorySink(self.calls)
        self.run()

    @property
    def stored(self) -> int:
        """The number of records below the stored offsets."""
        offsets = self.memory.offsets
        return sum(it.offset < offsets.get(it.partition, 0) for it in self.records)

    def restore_to(self, count: int) -> None:
        """Restore the database to where the first *count* registrations were applied."""
        for job_id, entry in list(self.memory.jobs.items())[count:]:
            self.memory.job_documents.delete(job_id)
            self.memory.order_documents.delete(str(entry.order_id))
        lost = reversed(self.records[count:])
        self.memory.offsets |= {it.partition: it.offset for it in lost}

    def failures(self) -> dict[str, str]:
        jobs = self.memory.jobs.values()
        return {entry.job_id: entry.failure.code for entry in jobs if entry.failure}


def times(count: int, error: Callable[[], Exception]) -> Failing:
    """Fail *count* times, then no more."""
    left = iter(range(count))
    return lambda _: error() if next(left, None) is not None else None


def whenever(*job_ids: str) -> Failing:
    """Fail as long as one of these commands, not yet refused, is in the batch."""

    def failing(items: Sequence[BatchItem]) -> Exception | None:
        hit = any(i.job_id in job_ids for i in items if not isinstance(i, UnreadableCommand))
        return RuntimeError("nobody knows why") if hit else None

    return failing


def test_effects_come_first_and_the_offset_last() -> None:
    """Swap any two of them, and a crash in between loses or invents something."""
    parts = Parts(commands(3))
    parts.run()
    assert parts.calls == ["apply", "publish", "commit"]


def test_each_batch_is_committed_before_the_next_is_applied() -> None:
    parts = Parts(commands(4))
    parts.run(batch=2)
    assert parts.calls == ["apply", "publish", "commit"] * 2
    assert parts.source.committed == 4


def test_what_is_paused_is_not_taken_and_the_member_stays_in_its_group() -> None:
    parts = Parts(commands(1))
    paused = iter([True, True, False, False])
    parts.source.on_end = parts.stop.set
    writer = BatchProcessor(parts.source, parts.ledger, parts.sink, parts.topic, parts.stop)
    writer.run(100, 1024 * 1024, lambda: next(paused))
    assert parts.calls == ["idle", "idle", "apply", "publish", "commit"]


def test_a_crash_after_storing_loses_no_event() -> None:
    """What was not announced is not committed, so it comes again and is announced then."""
    parts = Parts(commands(3))
    parts.sink.dies = True
    with pytest.raises(Killed):
        parts.run()
    stored = dict(parts.memory.jobs)
    assert (len(stored), parts.source.committed) == (3, 0)

    parts.restart()

    assert len(parts.sink.ids()) == 3
    assert (parts.memory.jobs, parts.source.committed) == (stored, 3)


def test_a_crash_before_the_commit_repeats_the_same_events() -> None:
    """Under the same ids, by which consumers drop them."""
    parts = Parts(commands(3))
    parts.source.dies_before_commit = True
    with pytest.raises(Killed):
        parts.run()
    announced = parts.sink.ids()

    parts.restart()

    assert parts.sink.ids() == announced
    assert parts.source.committed == 3


def test_a_record_that_spoils_its_batch_is_found_and_refused_alone() -> None:
    """The others are applied; it is tried five times by itself, then it is a dead letter."""
    parts = Parts(commands(8))
    ledger = parts.failing(whenever("job-5"))
    parts.run()
    assert parts.failures() == {"job-5": "InternalError"}
    assert len(parts.memory.jobs) == 8
    assert len(parts.sink.ids()) == 8
    assert parts.source.committed == 8
    letters = [out for out in parts.sink.published if out.topic == "orders.commands.dlq"]
    assert [letter.value for letter in letters] == [parts.records[5].value]
    # The whole and its parts, then alone five times; and, when others went well, as refused.
    assert ledger.asked == [8, 4, 4, 2, 1, *[1] * (ATTEMPTS_ALONE - 1), 1, 2, 1]


def test_a_batch_in_parts_is_committed_as_a_whole() -> None:
    parts = Parts(commands(4))
    parts.failing(lambda items: RuntimeError() if len(items) > 1 else None)
    parts.run()
    assert parts.calls.count("commit") == 1
    assert parts.calls[-1] == "commit"


def test_parts_keep_the_order_of_the_log() -> None:
    parts = Parts(commands(7))
    parts.failing(lambda items: RuntimeError() if len(items) > 2 else None)
    parts.run()
    assert list(parts.memory.jobs) == [f"job-{n}" for n in range(7)]


def test_where_every_record_fails_the_service_stops_and_none_is_refused() -> None:
    """Then it is not the records that are at fault."""
    parts = Parts(commands(8))
    parts.failing(whenever(*[f"job-{n}" for n in range(8)]))
    with pytest.raises(EverythingFails):
        parts.run()
    assert (parts.memory.jobs, parts.sink.published, parts.source.committed) == ({}, [], 0)


def test_one_after_the_other_by_itself_stops_the_service_at_the_second() -> None:
    """With nothing beside it a record may be refused once; then something must go well first."""
    parts = Parts(commands(3))
    parts.failing(whenever("job-0", "job-1", "job-2"))
    with pytest.raises(EverythingFails):
        parts.run(batch=1)
    assert (set(parts.failures()), parts.source.committed) == ({"job-0"}, 1)


def test_what_goes_well_between_two_that_come_by_themselves_counts() -> None:
    parts = Parts(commands(3))
    parts.failing(whenever("job-0", "job-2"))
    parts.run(batch=1)
    assert (set(parts.failures()), parts.source.committed) == ({"job-0", "job-2"}, 3)


def test_what_follows_a_refused_record_is_applied_behind_its_attempts() -> None:
    """Commands of one order stay in order, also where an attempt goes well after all."""
    parts = Parts(commands(2))
    ledger = parts.failing(times(ATTEMPTS_ALONE, lambda: RuntimeError("nobody knows why")))
    parts.run()
    assert (list(parts.memory.jobs), parts.failures()) == (["job-0", "job-1"], {})
    assert ledger.asked == [2, *[1] * ATTEMPTS_ALONE, 1]


def test_a_refusal_tells_what_is_stored_of_its_order() -> None:
    """Its event without the order would read as if that were deleted."""
    register_it = command_record(register("o-1"), "job-0")
    parts = Parts([register_it, command_record(change_status("o-1"), "job-1")])
    parts.failing(whenever("job-1"))
    parts.run()
    (rejected,) = [out for out in parts.sink.published if kind(out) == b"OrderCommandRejected.v1"]
    told = json.loads(rejected.value or b"")
    assert (told.get("version"), told["orderVersion"]) == (None, FIRST_VERSION)
    assert told["order"]["orderId"] == "o-1"


def test_where_its_order_is_what_can_not_be_read_it_is_refused_without_it() -> None:
    parts = Parts(commands(2))

    def failing(items: Sequence[BatchItem]) -> Exception | None:
        bad = [item for item in items if item.job_id == "job-1"]
        seen = any(
            not (isinstance(item, UnreadableCommand) and item.without_stored) for item in bad
        )
        return RuntimeError("nobody knows why") if seen else None

    parts.failing(failing)
    parts.run()
    assert (parts.failures(), parts.source.committed) == ({"job-1": "InternalError"}, 2)


def unreadable(
    document: Callable[[BatchItem], str],
) -> Callable[[Sequence[BatchItem]], Exception | None]:
    """Return what fails for a command, by a stored document, until it is refused."""

    def failing(items: Sequence[BatchItem]) -> Exception | None:
        if all(isinstance(item, UnreadableCommand) for item in items):
            return None
        return UnreadableStored("orders", document(items[0]), KeyError("version"))

    return failing


def test_a_stored_document_that_can_not_be_read_stops_no_writer_on_a_quiet_day() -> None:
    """Each batch is one command of the order that it is, and each of them is refused."""
    parts = Parts(commands(4))
    parts.failing(unreadable(lambda _: "o-1"))
    parts.run(batch=1)
    assert (len(parts.failures()), parts.source.committed) == (4, 4)


def test_many_documents_that_can_not_be_read_stop_the_writer() -> None:
    parts = Parts(commands(MAX_UNREADABLE + 1))
    parts.failing(unreadable(lambda item: item.job_id))
    with pytest.raises(EverythingFails):
        parts.run(batch=1)
    assert len(parts.failures()) == parts.source.committed == MAX_UNREADABLE - 1


def kind(out: Outgoing) -> bytes | None:
    return dict(out.headers).get("ce_type")


def test_one_that_goes_well_in_between_keeps_the_service_going() -> None:
    parts = Parts(commands(8))
    parts.failing(whenever("job-0", "job-1", "job-3", "job-4", "job-6"))
    parts.run()
    assert len(parts.failures()) == 5
    assert parts.source.committed == 8


def test_one_that_goes_well_at_a_later_attempt_counts_as_well() -> None:
    parts = Parts(commands(4))
    tries = iter(range(2))  # alone: the first and the second attempt fail

    def failing(items: Sequence[BatchItem]) -> Exception | None:
        if len(items) == 1 and items[0].job_id == "job-2" and next(tries, None) is not None:
            return RuntimeError()
        return RuntimeError() if len(items) > 1 else whenever("job-0", "job-1", "job-3")(items)

    parts.failing(failing)
    parts.run()
    assert set(parts.failures()) == {"job-0", "job-1", "job-3"}


def away() -> Exception:
    return AutoReconnect("no primary")


def test_while_the_database_is_away_the_batch_waits_in_the_group() -> None:
    """It idles, which keeps polling; nothing is refused, nothing committed meanwhile."""
    parts = Parts(commands(3))
    ledger = parts.failing(times(7, away))
    parts.run()
    assert parts.calls == [*["idle"] * 7, "apply", "publish", "commit"]
    assert (ledger.asked, parts.failures()) == ([3] * 8, {})


def test_a_batch_that_the_database_never_finishes_in_time_is_halved() -> None:
    """It would time out for ever; alone, a command is waited for and never refused."""
    parts = Parts(commands(2))
    patient = [0]

    def slow(items: Sequence[BatchItem]) -> Exception | None:
        patient[0] += len(items) == 1
        return NetworkTimeout("timed out") if len(items) > 1 or patient[0] < 9 else None

    ledger = parts.failing(slow)
    parts.run()
    assert ledger.asked == [2] * (ATTEMPTS_TOGETHER + 1) + [1] * 10
    assert (parts.source.committed, parts.failures()) == (2, {})


@pytest.mark.parametrize(
    "conflict",
    [
        lambda: DuplicateKeyError("E11000", 11000),
        lambda: OperationFailure("WriteConflict", 112),
    ],
    ids=["duplicate key", "write conflict"],
)
def test_where_two_writers_meet_the_ledger_is_read_again(
    conflict: Callable[[], Exception],
) -> None:
    """At once and whole: the other has applied it, or has given way."""
    parts = Parts(commands(3))
    ledger = parts.failing(times(IMMEDIATE_RETRIES, conflict))
    parts.run()
    assert ledger.asked == [3] * (IMMEDIATE_RETRIES + 1)
    assert parts.source.idled == 0


def test_a_command_behind_a_dead_transaction_is_waited_for_and_never_refused() -> None:
    """A transaction whose client died holds its locks for a minute and more."""
    parts = Parts(commands(2))
    ledger = parts.failing(times(40, lambda: OperationFailure("WriteConflict", 112)))
    parts.run()
    assert (parts.source.committed, parts.failures()) == (2, {})
    assert ledger.asked[-1] == 1


def test_a_refused_record_is_recognised_when_it_comes_again() -> None:
    """A replay announces it again, with its dead letter, and makes no second job of it."""
    parts = Parts(commands(1))
    parts.failing(times(ATTEMPTS_ALONE, lambda: RuntimeError("nobody knows why")))
    parts.run()
    told = dict(parts.memory.jobs)
    letters = [record.topic for record in parts.sink.published]
    parts.ledger = parts.memory
    parts.source.offsets.clear()
    parts.restart()
    assert parts.memory.jobs == told
    assert [record.topic for record in parts.sink.published] == letters


def test_until_every_event_is_acknowledged_nothing_is_committed() -> None:
    parts = Parts(commands(3))
    parts.sink.away = 3
    parts.run()
    assert parts.calls == ["apply", "publish", *["idle"] * 3, "commit"]
    assert len(parts.sink.ids()) == 3


def test_asked_to_stop_while_the_database_is_away_it_leaves_uncommitted() -> None:
    parts = Parts(commands(3))
    parts.failing(times(10**6, away))
    parts.source.on_idle = parts.stop.set
    parts.run()
    assert (parts.calls, parts.source.committed) == (["idle"], 0)


def test_asked_to_stop_while_kafka_is_away_it_leaves_uncommitted() -> None:
    parts = Parts(commands(3))
    parts.sink.away = 10**6
    parts.source.on_idle = parts.stop.set
    parts.run()
    assert (parts.calls, parts.source.committed) == (["apply", "publish", "idle"], 0)


def test_a_database_restored_under_it_has_the_commands_since_then_applied_again() -> None:
    """Exactly those, and what it had in hand; the answers are the same, under the same ids."""
    parts = Parts(commands(6))
    parts.run(batch=2)
    told, announced = dict(parts.memory.jobs), parts.sink.ids()
    parts.restore_to(2)
    parts.records.append(command_record(change_status("o-5"), "job-6"))
    parts.stop.clear()

    parts.run()

    assert parts.memory.jobs == told | {"job-6": parts.memory.jobs["job-6"]}
    assert parts.memory.jobs["job-6"].version == FIRST_VERSION + 1
    assert len(parts.source.taken) == 6 + 1 + 4 + 1
    assert (parts.calls.count("rewind"), parts.source.committed) == (1, 7)
    assert parts.sink.ids()[: len(announced)] == announced
    assert set(parts.sink.ids()[len(announced) :]) > set(announced[2:])


def test_what_a_restored_database_lacks_at_the_start_is_applied_again() -> None:
    """Its offsets are below Kafka's; exactly what lies between is read again."""
    parts = Parts(commands(5))
    parts.run()
    told = dict(parts.memory.jobs)
    parts.restore_to(3)

    parts.restart()

    assert parts.memory.jobs == told
    assert len(parts.source.taken) == 2


def test_a_database_restored_while_a_record_is_isolated_takes_nothing_of_the_batch() -> None:
    """On what was restored the next command would find no order."""
    parts = Parts(commands(2))
    parts.run()
    changes = [command_record(change_status("o-1"), f"job-{number}") for number in (2, 3)]
    backups = iter([1])

    def restore_once() -> None:
        for count in backups:
            parts.restore_to(count)

    parts.source.on_idle = restore_once
    parts.failing(whenever("job-2"))
    parts.stop.clear()

    parts.records[2:] = changes
    parts.run()

    assert parts.failures() == {"job-2": "InternalError"}
    assert parts.memory.jobs["job-3"].version == FIRST_VERSION + 1
    assert parts.calls.count("rewind") == 1


def test_the_stored_offset_does_not_pass_a_record_that_may_still_be_applied() -> None:
    """A backup of that moment would lack the record, and nobody would read it again."""
    parts = Parts(commands(4))
    fails, stored = whenever("job-1"), list[int]()

    def failing(items: Sequence[BatchItem]) -> Exception | None:
        stored.append(parts.stored)
        return fails(items)

    parts.failing(failing)
    parts.run()

    assert set(parts.failures()) == {"job-1"}
    assert (set(stored[:3]), set(stored[3:])) == ({0}, {1})
    assert (parts.stored, parts.source.committed) == (4, 4)


def test_asked_to_stop_it_finishes_the_batch_it_has() -> None:
    parts = Parts(commands(4))
    parts.failing(lambda _: parts.stop.set())
    parts.run(batch=2)
    assert parts.source.committed == 2


def test_a_command_of_our_own_that_is_unreadable_stops_it_uncommitted() -> None:
    """No dead letter: this release is bad, not the command."""
    parts = Parts([*commands(2), own(b"{")], topic=OWN_TOPIC)
    with pytest.raises(OwnCommandUnreadable):
        parts.run()
    assert parts.source.committed == 0
    assert parts.failures() == {}


@pytest.mark.parametrize("garbage", [own(b"{"), claimed(b"{")])
def test_garbage_under_the_id_of_a_command_that_is_known_is_refused(garbage: Record) -> None:
    """Whoever posted an order knows its job id; sending it again broken stops nobody."""
    known = raw_record(register().to_json(), job_id=issued_id())
    parts = Parts([known, garbage], topic=OWN_TOPIC)
    parts.run()
    assert parts.source.committed == 2
    assert set(parts.failures().values()) == {"ValidationFailed"}


def test_garbage_that_claims_to_be_our_own_holds_nobody_up() -> None:
    """An id that was issued proves nothing: its job may have expired, or never been decided."""
    parts = Parts([*commands(1), claimed(b"{"), *commands(3)[1:]], topic=OWN_TOPIC)
    parts.run()
    assert parts.failures() == {issued_id(): "ValidationFailed"}
    assert parts.calls == ["apply", "publish", "commit"]


def test_a_command_of_our_own_that_is_replayed_unreadable_fails_again() -> None:
    """Stopping would repeat at each start: a dead letter is in the operator's hands."""
    sent = own(b"{")
    again = replace(sent, headers=(*sent.headers, ("orders-replay", issued_id().encode())))
    parts = Parts([again, *commands(2)], topic=OWN_TOPIC)
    parts.run()
    assert parts.failures() == {issued_id(): "ValidationFailed"}


def test_a_garbage_record_holds_nobody_up() -> None:
    parts = Parts([*commands(1), raw_record(b"{", job_id="bad"), *commands(3)[1:]])
    parts.run()
    assert parts.failures() == {"bad": "ValidationFailed"}
    assert parts.calls == ["apply", "publish", "commit"]


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([], []),
        ([1, 1, 1], [[1, 1, 1]]),
        ([4, 4, 4], [[4, 4], [4]]),
        ([99, 1], [[99], [1]]),
        ([1, 99, 1], [[1], [99], [1]]),
        ([10, 1], [[10], [1]]),
    ],
)
def test_a_batch_is_bounded_by_its_weight(sizes: list[int], batches: list[list[int]]) -> None:
    """One record always goes, however heavy."""
    split = split_by_size([raw_record(b"x" * size) for size in sizes], max_bytes=10)
    assert [[len(each.value or b"") for each in batch] for batch in split] == batches
