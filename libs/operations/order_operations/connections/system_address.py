"""Where a running system is: its Kafka and its MongoDB, embedded or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from order_runtime.kafka.address import KafkaAddress

DEFAULT_DATABASE: Final = "ordermill"


@dataclass(frozen=True, slots=True)
class MongoAddress:
    """A MongoDB URI and the database in it; the URI may hold a password and is never shown."""

    uri: str = field(repr=False)
    database: str = DEFAULT_DATABASE


@dataclass(frozen=True, slots=True)
class SystemAddress:
    """The Kafka and the database of one system."""

    kafka: KafkaAddress
    mongo: MongoAddress
