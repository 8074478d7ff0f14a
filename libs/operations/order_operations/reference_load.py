"""Reference data from NDJSON files to its topics, and the wait until the enricher has read it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Record
from confluent_kafka.admin import AdminClient

from order_contracts.base import Message
from order_contracts.cloudevents import Envelope
from order_contracts.decoding import parse, read
from order_contracts.reference import Article, Contact, Store
from order_contracts.topics import ARTICLES, CONTACTS, ENRICHER, STORES, Topic
from order_operations.kafka_client import Offsets, Place, admin, committed
from order_stack import ndjson
from order_stack.problems import StackProblem

SOURCE = "orders-cli"
FLUSH_SECONDS = 60.0
INTERVAL = 0.2


@dataclass(frozen=True, slots=True)
class ReferenceKind:
    """What the field that identifies a line says about it."""

    field: str
    model: type[Message]
    topic: Topic


KINDS = (
    ReferenceKind("contactId", Contact, CONTACTS),
    ReferenceKind("sku", Article, ARTICLES),
    ReferenceKind("externalStoreId", Store, STORES),
)


@dataclass(frozen=True, slots=True)
class Entry:
    kind: ReferenceKind
    key: str
    value: bytes | None
    """None deletes."""


def entry(raw: bytes) -> Entry:
    """Return what a line says; raises ValueError with what is wrong with it."""
    value = parse(raw)
    kind = kind_of(value)
    message = read(kind.model, value)
    return Entry(kind, str(value[kind.field]), message.to_json())


def kind_of(value: object) -> ReferenceKind:
    """Tell a contact, an article and a store apart by the field that identifies each."""
    fields = value.keys() if isinstance(value, dict) else set()
    found = [kind for kind in KINDS if kind.field in fields]
    if "orderId" in fields or len(found) != 1:
        names = ", ".join(kind.field for kind in KINDS)
        raise ValueError(f"must be an object with exactly one of {names}, and no orderId")
    return found[0]


def entries(file: Path) -> list[Entry]:
    """Read a whole file before any of it is published; a bad line is a problem, with its number."""
    good: list[Entry] = []
    for number, line in ndjson.lines_of(file):
        try:
            good.append(entry(line))
        except ValueError as error:
            raise StackProblem(
                f"{file}, line {number}: {_reason(error)}. Nothing was published."
            ) from error
    return good


def _reason(error: ValueError) -> str:
    return str(error).strip().rstrip(".")


class Delivered:
    """Where each partition ends after our records, and what went wrong with any of them."""

    def __init__(self) -> None:
        self.ends: Offsets = {}
        self.failed: list[KafkaError] = []

    def __call__(self, error: KafkaError | None, record: Record) -> None:
        if error is not None:
            self.failed.append(error)
            return
        position = (record.topic(), record.partition())
        self.ends[position] = max(self.ends.get(position, 0), record.offset() + 1)


def publish(bootstrap: str, found: Sequence[Entry]) -> Offsets:
    """Publish and wait for every acknowledgement; return where the topics end after it."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "log_level": 0,
        }
    )
    delivered = Delivered()
    for item in found:
        _hand_over(producer, item, delivered)
    if producer.flush(FLUSH_SECONDS) or delivered.failed:
        reason = delivered.failed[0].str() if delivered.failed else "no answer"
        raise StackProblem(
            f"Kafka at {bootstrap} didn't take all of it ({reason}); "
            "run the command again when it is up: loading twice does no harm."
        )
    return delivered.ends


def _hand_over(producer: Producer, item: Entry, delivered: Delivered) -> None:
    headers = list(_envelope(item).headers())
    while True:
        try:
            producer.produce(
                item.kind.topic.name,
                key=item.key,
                value=item.value,
                headers=headers,
                on_delivery=delivered,
            )
        except BufferError:  # the queue is full: let some of it leave
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _envelope(item: Entry) -> Envelope:
    return Envelope(
        id=str(uuid4()),
        source=SOURCE,
        type=f"{item.kind.model.__name__}.v1",
        time=datetime.now(UTC),
        subject=item.key,
    )


def tombstone(contact_id: str) -> Entry:
    """Return what deletes a contact."""
    return Entry(KINDS[0], contact_id, None)


def wait_until_read(bootstrap: str, ends: Offsets, seconds: float, group: str = ENRICHER) -> None:
    """Return when *group* has committed everything up to *ends*."""
    if not ends:
        return
    client = admin(bootstrap)
    deadline = time.monotonic() + seconds
    while behind := _behind(ends, _committed(client, group, ends)):
        if time.monotonic() > deadline:
            raise StackProblem(
                f"Published, but the {group} has not read {behind} of the records after "
                f"{seconds:.0f} s; `orders status` tells whether it runs, `orders logs {group}` "
                "what it does."
            )
        time.sleep(INTERVAL)


def _behind(ends: Offsets, reached: Offsets) -> int:
    return sum(max(0, end - max(0, reached.get(position, 0))) for position, end in ends.items())


def _committed(client: AdminClient, group: str, positions: Iterable[Place]) -> Offsets:
    try:
        return committed(client, group, positions)
    except (KafkaException, TimeoutError):
        return {}
