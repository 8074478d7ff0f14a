"""Where a running system is: its Kafka and its MongoDB, embedded or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

DEFAULT_DATABASE: Final = "ordermill"


@dataclass(frozen=True, slots=True)
class MongoAddress:
    """A MongoDB URI and the database in it; the URI may hold a password and is never shown."""

    uri: str = field(repr=False)
    database: str = DEFAULT_DATABASE


@dataclass(frozen=True, slots=True)
class SystemAddress:
    """Kafka's bootstrap servers (`host:port`, comma-separated) and the database, of one system."""

    kafka: str
    mongo: MongoAddress
