"""Reference data from NDJSON files to its topics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from confluent_kafka import KafkaError, Message, Producer

from order_contracts.cloudevents import Envelope
from order_contracts.decoding import parse
from order_contracts.reference import Article, Contact, ReferenceMessage, Store, read_reference
from order_contracts.topics import ARTICLES, CONTACTS, STORES, Topic
from order_operations import ndjson
from order_operations.connections.kafka_client import CLIENT_ID, Offsets, require_answer
from order_operations.problems import OperationFailed
from order_runtime.kafka.address import KafkaAddress, librdkafka_config

FLUSH_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class ReferenceKind:
    """Contacts, articles or stores: the field that identifies one, its model and its topic."""

    field: str
    model: type[ReferenceMessage]
    topic: Topic


KINDS: Final = (
    ReferenceKind("contactId", Contact, CONTACTS),
    ReferenceKind("sku", Article, ARTICLES),
    ReferenceKind("externalStoreId", Store, STORES),
)


@dataclass(frozen=True, slots=True)
class ReferenceEntry:
    """A record to publish; a value of None is a tombstone."""

    kind: ReferenceKind
    key: str
    value: bytes | None


def parse_entry(raw: bytes) -> ReferenceEntry:
    """Return the entry of one line; raises ValueError with what is wrong with it."""
    value = parse(raw)
    kind = kind_of(value)
    message, faults = read_reference(kind.model, value)
    # Fields at fault are published as they came: the enricher passes them over, and says so.
    content = raw if faults else message.to_json()
    return ReferenceEntry(kind, str(value[kind.field]), content)


def kind_of(value: object) -> ReferenceKind:
    """Tell contact, article and store apart by the field that identifies each."""
    fields = value.keys() if isinstance(value, dict) else set()
    found = [kind for kind in KINDS if kind.field in fields]
    if "orderId" in fields or len(found) != 1:
        names = ", ".join(kind.field for kind in KINDS)
        raise ValueError(f"must be an object with exactly one of {names}, and no orderId")
    return found[0]


def entries_of(file: Path) -> list[ReferenceEntry]:
    """Read a whole file; raises OperationFailed with the number of the first bad line."""
    good: list[ReferenceEntry] = []
    for number, line in ndjson.lines_of(file):
        try:
            good.append(parse_entry(line))
        except ValueError as error:
            raise OperationFailed(
                f"{file}, line {number}: {_reason(error)}. Nothing was published."
            ) from error
    return good


def contact_tombstone(contact_id: str) -> ReferenceEntry:
    """Return the entry that deletes a contact."""
    return ReferenceEntry(KINDS[0], contact_id, None)


def publish(kafka: KafkaAddress, entries: Sequence[ReferenceEntry]) -> Offsets:
    """
    Publish in order and wait for every acknowledgement; return the end of each partition after it.

    Raises OperationFailed where Kafka doesn't answer, or didn't take all of it.
    """
    require_answer(kafka)
    producer = Producer(
        librdkafka_config(kafka)
        | {
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "log_level": 0,
        }
    )
    acknowledgements = _Acknowledgements()
    for entry in entries:
        _produce(producer, entry, acknowledgements)
    if producer.flush(FLUSH_SECONDS) or acknowledgements.errors:
        errors = acknowledgements.errors
        raise OperationFailed(
            f"Kafka at {kafka} didn't take all of it "
            f"({errors[0].str() if errors else 'no answer'}); "
            "do it again when it is up: to publish twice does no harm."
        )
    return acknowledgements.ends


class _Acknowledgements:
    """The end of each partition after our records, and the errors of those that failed."""

    def __init__(self) -> None:
        self.ends: Offsets = {}
        self.errors: list[KafkaError] = []

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.errors.append(error)
            return
        partition = (message.topic(), message.partition())
        self.ends[partition] = max(self.ends.get(partition, 0), message.offset() + 1)


def _produce(
    producer: Producer, entry: ReferenceEntry, acknowledgements: _Acknowledgements
) -> None:
    headers = list(_envelope(entry).headers())
    while True:
        try:
            producer.produce(
                entry.kind.topic.name,
                key=entry.key,
                value=entry.value,
                headers=headers,
                on_delivery=acknowledgements,
            )
        except BufferError:  # the queue is full: let some of it leave
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _envelope(entry: ReferenceEntry) -> Envelope:
    return Envelope(
        id=str(uuid4()),
        source=CLIENT_ID,
        type=f"{entry.kind.model.__name__}.v1",
        time=datetime.now(UTC),
        subject=entry.key,
    )


def _reason(error: ValueError) -> str:
    return str(error).strip().rstrip(".")
