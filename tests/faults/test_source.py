"""Where the writer reads from, and up to where, while members and the network come and go."""

from __future__ import annotations

from contextlib import closing

import pytest
from confluent_kafka import Producer
from structlog.testing import capture_logs
from structlog.typing import EventDict

from order_contracts.topics import COMMANDS, WRITER
from order_runtime.records import Record
from order_writer.source import CommandSource
from support.builders import order_body, unique
from support.detour import Detour
from support.stack import RunningStack
from support.topics import committed, lag, publish, register
from support.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

SECONDS = 120.0  # for what takes a session of ten
COUNT = 600  # commands: two rebalances' time of committing them one by one


def test_what_was_paused_when_it_was_lost_is_read_when_it_is_back(stack: RunningStack) -> None:
    """
    It polls with all partitions paused, as it does while a batch can't be announced, and Kafka
    is silent for longer than a session. The client keeps a partition paused that it gives up.
    """
    stack.kill(WRITER, "TERM")
    with Detour(stack.kafka) as kafka:
        source = CommandSource(kafka.instead_of(stack.kafka), "waiting")
        try:
            until(lambda: source.take(1_000, 0.1) or source.assigned, seconds=SECONDS)
            kafka.hole()
            until(lambda: _idle_and_lost(source), seconds=SECONDS, of="its loss")
            kafka.open()
            until(lambda: source.take(1_000, 0.1) or source.assigned, seconds=SECONDS)
            publish(stack.kafka, [register(order_body())])
            assert until(lambda: source.take(1_000, 0.1), seconds=SECONDS, of="the command")
        finally:
            source.close()
    stack.start(WRITER)


def test_what_a_rebalance_refused_to_commit_is_committed_although_nothing_more_comes(
    stack: RunningStack,
) -> None:
    """
    One record after the other, of each partition in turn, is committed until another member joins
    and a commit is refused: news travel slowly, so it names a generation that is over.
    """
    until(lambda: not lag(stack.kafka, WRITER, COMMANDS.name), seconds=SECONDS)
    stack.kill(WRITER, "TERM")
    publish(stack.kafka, [register(order_body()) for _ in range(COUNT)])
    in_hand: list[Record] = []
    with (
        Detour(stack.kafka) as kafka,
        capture_logs() as told,
        closing(CommandSource(kafka.instead_of(stack.kafka), "first")) as first,
    ):
        until(lambda: _taken(first, in_hand) == COUNT, seconds=SECONDS, of="the backlog")
        kafka.delay = 0.3
        with closing(CommandSource(stack.kafka, "second")) as second:
            settled = _committed_until_refused(first, second, in_hand, told)
            until(lambda: _committed(stack, first, second, settled), seconds=SECONDS)
    stack.start(WRITER)


def test_what_transactions_leave_in_the_log_is_read_past(stack: RunningStack) -> None:
    """A marker at its end has an offset and is no record; what was aborted is none either."""
    settings = {"transactional.id": unique("import"), "partitioner": "murmur2_random"}
    producer = Producer({"bootstrap.servers": stack.kafka, **settings})
    producer.init_transactions(30)
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        for _ in range(30):
            sent = register(order_body())
            producer.produce(COMMANDS.name, sent.value, sent.key, headers=dict(sent.pairs))
        end(30)

    until(lambda: not lag(stack.kafka, WRITER, COMMANDS.name), seconds=SECONDS)


def _taken(source: CommandSource, in_hand: list[Record]) -> int:
    in_hand.extend(source.take(COUNT, 0.1))
    return len(in_hand)


def _committed_until_refused(
    first: CommandSource, second: CommandSource, records: list[Record], told: list[EventDict]
) -> dict[int, int]:
    """Return where each partition goes on after what was settled, committed or not."""
    settled: dict[int, int] = {}
    for record in sorted(records, key=lambda it: it.offset):
        if any(it["event"] == "offsets not committed" for it in told):
            return settled
        second.commit(second.take(COUNT, 0.01))
        first.idle(0.01)
        first.commit([record])
        settled[record.partition] = record.offset + 1
    raise AssertionError("no commit was refused")


def _committed(
    stack: RunningStack, first: CommandSource, second: CommandSource, settled: dict[int, int]
) -> bool:
    """Both go on, with nothing to take but what the second was given and the first had begun."""
    first.take(COUNT, 0.1)
    second.commit(second.take(COUNT, 0.1))
    found = committed(stack.kafka, WRITER, COMMANDS.name, settled)
    return all(found[partition] >= offset for partition, offset in settled.items())


def _idle_and_lost(source: CommandSource) -> bool:
    source.idle(0.1)
    return not source.assigned
