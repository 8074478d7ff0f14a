"""The writer's consumer keeps position and commits through rebalances and network failures."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
from confluent_kafka import Producer
from structlog.testing import capture_logs
from structlog.typing import EventDict

from order_contracts.topics import COMMANDS, WRITER
from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from order_runtime.mongo.client import CONSUMER_OFFSETS, client
from support.builders.bodies import order_body, unique
from support.builders.raw_records import register_record
from support.faults.tcp_proxy import TcpProxy
from support.harness.command_source import StoringSource
from support.stack.consumer_groups import end_offsets, lag
from support.stack.kafka_records import publish_records
from support.stack.running_stack import RunningStack
from support.stack.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

SECONDS = 120.0  # for what takes one session timeout, which is ten
REBALANCES = 40  # some of which fall between a commit request and its response


def test_what_was_paused_when_it_was_lost_is_read_when_it_is_back(stack: RunningStack) -> None:
    """
    It polls with all partitions paused, as it does while a batch can't be announced, and the
    network is down for longer than a session. The client keeps a revoked partition paused.
    """
    stack.kill(WRITER, "TERM")
    with TcpProxy(stack.kafka.servers) as kafka:
        source = _source(stack, _through(kafka, stack), "waiting")
        try:
            until(lambda: source.take(1_000, 0.1) or source.assigned, seconds=SECONDS)
            kafka.block()
            until(lambda: _idle_and_lost(source), seconds=SECONDS, of="its loss")
            kafka.unblock()
            until(lambda: source.take(1_000, 0.1) or source.assigned, seconds=SECONDS)
            publish_records(stack.kafka, [register_record(order_body())])
            assert until(lambda: source.take(1_000, 0.1), seconds=SECONDS, of="the command")
        finally:
            source.close()
    stack.start(WRITER)


def test_what_a_rebalance_refused_to_commit_is_committed_although_nothing_more_comes(
    stack: RunningStack,
) -> None:
    """
    Members come and go until a commit is refused: the network is slow, so the commit carries the
    previous generation. From then on nothing is published.
    """
    until(lambda: not lag(stack.kafka, WRITER, COMMANDS.name), seconds=SECONDS)
    stack.kill(WRITER, "TERM")
    with (
        TcpProxy(stack.kafka.servers) as kafka,
        capture_logs() as logs,
        closing(_source(stack, _through(kafka, stack), "first")) as first,
    ):
        kafka.delay = 0.3
        until(lambda: _all_committed(stack, first), seconds=SECONDS)
        for _ in range(REBALANCES):
            with closing(_source(stack, stack.kafka, "second")) as second:
                _settle_commands(stack, first, second, logs)
                if _refused(logs):
                    until(lambda: _all_committed(stack, first, second), seconds=SECONDS)
                    break
    stack.start(WRITER)
    assert _refused(logs), "no commit was refused"


def _through(proxy: TcpProxy, stack: RunningStack) -> KafkaAddress:
    return replace(stack.kafka, servers=proxy.rewritten(stack.kafka.servers))


def _source(
    stack: RunningStack, kafka: KafkaAddress, instance: str, mongo: str | None = None
) -> StoringSource:
    return StoringSource(kafka, instance, mongo or stack.mongo, stack.database)


def _settle_commands(
    stack: RunningStack,
    first: StoringSource,
    second: StoringSource,
    logs: list[EventDict],
) -> None:
    """Settle one command of each partition, repeatedly, until both members have partitions."""
    while not (_refused(logs) or (first.assigned and second.assigned)):
        for partition in range(COMMANDS.partitions):
            publish_records(stack.kafka, [register_record(order_body())], partition=partition)
        until(lambda: _refused(logs) or _all_committed(stack, first, second), seconds=SECONDS)


def _refused(logs: list[EventDict]) -> bool:
    return any(it["event"] == "offsets not committed" for it in logs)


def _all_committed(stack: RunningStack, *sources: StoringSource) -> bool:
    """Settle what there is; return whether nothing is left to commit."""
    for source in sources:
        if records := source.take(1_000, 0.05):
            source.commit(records)
    return not lag(stack.kafka, WRITER, COMMANDS.name)


def test_what_transactions_leave_in_the_log_is_read_past(stack: RunningStack) -> None:
    """Transaction markers take offsets but aren't records; aborted records aren't delivered."""
    for end in (Producer.commit_transaction, Producer.abort_transaction):
        settings = {"transactional.id": unique("import"), "partitioner": "murmur2_random"}
        producer = Producer({**librdkafka_config(stack.kafka), **settings})
        producer.init_transactions(30)
        producer.begin_transaction()
        for _ in range(30):
            sent = register_record(order_body())
            producer.produce(COMMANDS.name, sent.value, sent.key, headers=dict(sent.pairs))
        assert producer.flush(30) == 0
        end(producer, 30)

    until(lambda: not lag(stack.kafka, WRITER, COMMANDS.name), seconds=SECONDS)
    assert _stored_offsets(stack) == end_offsets(stack, COMMANDS.name)


def test_partitions_assigned_while_mongodb_is_away_are_read_once_it_is_back(
    stack: RunningStack,
) -> None:
    """Until then nobody knows where they begin: they are paused, and the consumer goes on."""
    until(lambda: not lag(stack.kafka, WRITER, COMMANDS.name), seconds=SECONDS)
    stack.kill(WRITER, "TERM")
    with (
        TcpProxy(stack.mongo) as proxy,
        closing(_source(stack, stack.kafka, "waiting", proxy.rewritten(stack.mongo))) as source,
    ):
        proxy.block()
        until(lambda: source.take(1_000, 0.1) or source.assigned, seconds=SECONDS)
        publish_records(stack.kafka, [register_record(order_body())])
        assert [source.take(1_000, 0.1) for _ in range(4)] == [[]] * 4
        proxy.unblock()
        assert len(until(lambda: source.take(1_000, 0.1), seconds=SECONDS)) == 1
    stack.start(WRITER)


def _stored_offsets(stack: RunningStack) -> dict[int, int]:
    with client(stack.mongo, "test") as mongo:
        where = {"_id": {"$regex": f"^{WRITER}/"}}
        found = mongo[stack.database][CONSUMER_OFFSETS].find(where).to_list()
    return {int(it["_id"].rsplit("/", 1)[1]): it["next"] for it in found}


def _idle_and_lost(source: StoringSource) -> bool:
    source.idle(0.1)
    return not source.assigned
