"""While it waits for Kafka or MongoDB, the order-writer fetches nothing twice for each attempt."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest

from order_contracts.topics import COMMANDS, WRITER
from support.builders.bodies import order_body
from support.builders.raw_records import RawRecord
from support.faults.tcp_proxy import TcpProxy
from support.harness.command_source import StoringSource
from support.stack.consumer_groups import lag
from support.stack.kafka_records import publish_records
from support.stack.running_stack import RunningStack
from support.stack.wait import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

SECONDS = 60.0
LARGE = 250_000  # bytes of a command
MANY = 40  # 10 MB: less than is fetched ahead
WAITS = 5


@pytest.mark.parametrize(("unpolled_seconds", "at_most"), [(600.0, 1.5), (0.0, 2.5)])
def test_what_was_fetched_ahead_is_kept_or_fetched_once_more(
    stack: RunningStack, unpolled_seconds: float, at_most: float
) -> None:
    """Once more after any number of waits, where the consumer was polled meanwhile."""
    until(lambda: not lag(stack.kafka, WRITER, COMMANDS.name), seconds=SECONDS)
    stack.kill(WRITER, "TERM")
    published = [large_command() for _ in range(MANY)]
    publish_records(stack.kafka, published)
    with TcpProxy(stack.kafka.servers) as kafka:
        through = replace(stack.kafka, servers=kafka.rewritten(stack.kafka.servers))
        where = (stack.mongo, stack.database)
        with closing(StoringSource(through, "waiting", *where, unpolled_seconds)) as source:
            batch = until(lambda: source.take(1, 0.1), seconds=SECONDS)
            until(lambda: is_still(kafka), seconds=SECONDS, of="what is fetched ahead")
            for _ in range(WAITS):
                source.idle(0.05)
                until_more(kafka, kafka.answered_bytes)  # as long as an attempt may take
            source.commit(batch)
            taken = len(batch)
            while taken < MANY:
                batch = source.take(MANY, 0.1)
                taken += len(batch)
                source.commit(batch)
            assert kafka.answered_bytes < at_most * MANY * LARGE
    stack.start(WRITER)


def large_command() -> RawRecord:
    body = order_body() | {"unknown": "x" * LARGE}  # refused, and not stored
    headers = {"ce_specversion": "1.0", "ce_type": "RegisterOrder.v1", "ce_source": "/test"}
    return RawRecord(body["orderId"], json.dumps(body).encode(), headers)


def is_still(kafka: TcpProxy) -> bool:
    """Return whether nothing large comes any more."""
    before = kafka.answered_bytes
    return before > MANY * LARGE and not until_more(kafka, before)


def until_more(kafka: TcpProxy, before: int) -> bool:
    try:
        return until(lambda: kafka.answered_bytes > before + LARGE, seconds=1)
    except AssertionError:
        return False
