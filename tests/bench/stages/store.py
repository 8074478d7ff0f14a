"""Storing an order: the ledger, the order, its job and its event, exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Final

import psutil
from pymongo import MongoClient

from bench.contender import OURS, Contender, Drain, Stage, committed
from bench.environment import Environment
from bench.load.orders import commands, orders
from bench.peers.process import consumer_peer
from bench.peers.sink_connector import sink_connector
from bench.peers.topics import create_topic
from support.builders.raw_records import COMMANDS_TOPIC
from support.stack.wait import until

COUNT: Final = 15_000
COUNT_ONE: Final = 2_000
SINK_TOPIC: Final = "peer.sink"
ONE_TOPIC: Final = "peer.store"
START_SECONDS: Final = 180.0


@contextmanager
def contenders(environment: Environment) -> Iterator[Sequence[Contender]]:
    with ExitStack() as stack:
        found = [stack.enter_context(writer(environment))]
        if environment.peers:
            found += _peers(environment, stack)
        yield [drain.contender() for drain in found]


@contextmanager
def writer(environment: Environment, name: str = OURS) -> Iterator[Drain]:
    """Yield the order-writer of a stack, secure or not."""
    with committed(environment.stack.kafka, "order-writer", COMMANDS_TOPIC) as progress:
        process = environment.processes["order-writer"]
        publish, count = partial(_publish, environment, COMMANDS_TOPIC), environment.scaled(COUNT)
        yield Drain(name, process, environment.meter(process), publish, progress, count)


def _peers(environment: Environment, stack: ExitStack) -> Iterator[Drain]:
    database = stack.enter_context(MongoClient[dict[str, Any]](environment.stack.mongo))["peer"]
    create_topic(environment, SINK_TOPIC)
    sink = stack.enter_context(sink_connector(environment, SINK_TOPIC, "peer"))
    stored = database[SINK_TOPIC].estimated_document_count
    yield _drain("MongoDB's sink connector", environment, SINK_TOPIC, sink, stored, COUNT)
    create_topic(environment, ONE_TOPIC)
    one = stack.enter_context(consumer_peer(environment, "store_one", BENCH_TOPIC=ONE_TOPIC))
    stored = database[ONE_TOPIC].estimated_document_count
    yield _drain("one at a time", environment, ONE_TOPIC, one, stored, COUNT_ONE)


def _drain(
    name: str,
    environment: Environment,
    topic: str,
    process: psutil.Process,
    stored: Callable[[], int],
    count: int,
) -> Drain:
    """Return the drain of a peer once it consumes."""
    _publish(environment, topic, 1)
    until(stored, seconds=START_SECONDS, of=f"{name} consumes")
    publish = partial(_publish, environment, topic)
    meter = environment.meter(process)
    return Drain(name, process, meter, publish, stored, environment.scaled(count))


def _publish(environment: Environment, topic: str, count: int) -> None:
    environment.load.send(commands(orders(count)), topic)


STAGE: Final = Stage(
    "store",
    "commands in Kafka until stored, with their events",
    ("order-writer",),
    contenders,
)
