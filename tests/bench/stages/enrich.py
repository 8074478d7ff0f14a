"""Enriching an order: its contact, articles and store, its link, its job, and its action."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import cycle, islice
from typing import Any, Final

from pymongo import MongoClient

from bench.contender import OURS, Contender, Drain, Stage, committed
from bench.environment import Environment
from bench.load.orders import ARTICLES, CONTACTS, STORES, commands, confirmed_orders, email
from bench.peers.process import consumer_peer
from bench.peers.topics import create_topic
from support.builders.raw_records import COMMANDS_TOPIC, RawRecord
from support.stack.kafka_records import read_all
from support.stack.wait import until

COUNT: Final = 10_000
COUNT_ONE: Final = 2_000
EVENTS_TOPIC: Final = "orders.events"
START_SECONDS: Final = 180.0
WRITE_SECONDS: Final = 300.0
PEERS: Final = {
    "FastStream, one at a time": ("enrich_one", COUNT_ONE),
    "FastStream, batched": ("enrich_batch", COUNT),
}


@contextmanager
def contenders(environment: Environment) -> Iterator[Sequence[Contender]]:
    with ExitStack() as stack:
        kafka = environment.stack.kafka
        written = stack.enter_context(committed(kafka, "order-writer", COMMANDS_TOPIC))

        def publish(count: int) -> None:
            """Have *count* orders stored, with their events."""
            wanted = written() + count
            environment.load.send(commands(confirmed_orders(count)))
            until(lambda: written() >= wanted, seconds=WRITE_SECONDS, of="all orders are stored")

        progress = stack.enter_context(committed(kafka, "enricher", EVENTS_TOPIC))
        enricher = environment.processes["enricher"]
        meter, count = environment.meter(enricher), environment.scaled(COUNT)
        ours = Drain(OURS, enricher, meter, publish, progress, count).contender()
        yield [ours, *(_peers(environment, stack) if environment.peers else ())]


def _peers(environment: Environment, stack: ExitStack) -> Iterator[Contender]:
    database = stack.enter_context(MongoClient[dict[str, Any]](environment.stack.mongo))["peer"]
    database["contacts"].insert_many({"email": email(it)} for it in range(CONTACTS))
    database["contacts"].create_index("email")
    database["articles"].insert_many({"_id": f"sku-{it}"} for it in range(ARTICLES))
    database["stores"].insert_many({"_id": f"store-{it}"} for it in range(STORES))
    events = [
        RawRecord(it.key(), it.value(), ())
        for it in read_all(environment.stack.kafka, EVENTS_TOPIC)
    ]
    for name, (module, count) in PEERS.items():
        topic = create_topic(environment, f"peer.{module}")
        process = stack.enter_context(consumer_peer(environment, module, BENCH_TOPIC=topic))
        publish = partial(_publish, environment, topic, events)
        enriched = database[topic].estimated_document_count
        publish(1)
        until(enriched, seconds=START_SECONDS, of=f"{name} consumes")
        meter, scaled = environment.meter(process), environment.scaled(count)
        yield Drain(name, process, meter, publish, enriched, scaled).contender()


def _publish(environment: Environment, topic: str, events: Sequence[RawRecord], count: int) -> None:
    environment.load.send(islice(cycle(events), count), topic)


STAGE: Final = Stage(
    "enrich",
    "events in Kafka until linked, with their actions",
    ("order-writer", "enricher"),
    contenders,
)
