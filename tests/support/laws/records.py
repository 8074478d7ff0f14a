"""What Kafka holds, as plain values: every record of a topic, in its place."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Message

from support.stack.topics import read_all

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it stands in the log; `at` is its append time in milliseconds."""

    topic: str
    partition: int
    offset: int
    at: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"

    @property
    def name(self) -> str | None:
        """Return the key as text; what is none names nothing."""
        return None if self.key is None else self.key.decode(errors="replace")

    def header(self, name: str) -> str | None:
        """Return the first header of that name as text."""
        found = next((value for spelt, value in self.headers if spelt == name), None)
        return None if found is None else found.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.value or b"null")


def records_of(kafka: str, topics: Collection[str]) -> dict[str, list[Record]]:
    """Return all records by topic, partition by partition in the order of their offsets."""
    found: dict[str, list[Record]] = {topic: [] for topic in topics}
    for message in read_all(kafka, *topics, seconds=300):
        found[message.topic()].append(record_of(message))
    return {topic: in_place(records) for topic, records in found.items()}


def in_place(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda it: (it.partition, it.offset))


def record_of(message: Message) -> Record:
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
    )
