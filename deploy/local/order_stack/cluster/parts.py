"""A stack as data: its processes with names, addresses and probes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from order_runtime.kafka.address import KafkaAddress
from order_stack.cluster.backend_login import connection_settings

_USER: Final = re.compile("//[^@/]*@")

Kind = Literal["broker", "mongod", "receiver", "service"]


@dataclass(frozen=True, slots=True)
class Probe:
    """What to ask: a URL that must answer 200, a broker's address, or a MongoDB URI."""

    kind: Literal["http", "kafka", "mongo"]
    address: str


@dataclass(frozen=True, slots=True)
class Part:
    """
    One process of a stack.

    `env` holds only what is added to the caller's environment: it is saved, and the caller's own
    secrets must not be. `inherits` names those of its settings that are taken from there at each
    start. `url` is a service's health address; `address` is host and port of a broker or a member
    of the replica set.
    """

    name: str
    kind: Kind
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: str
    live: Probe
    ready: Probe
    url: str | None = None
    address: str | None = None
    inherits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as it was started; which of its processes still run, only the OS knows."""

    name: str
    gateways: tuple[str, ...]
    apikey: str
    kafka: str
    mongo: str
    database: str
    receiver: str
    data: str
    keep_data: bool
    keys_file: str
    parts: tuple[Part, ...]

    def kafka_address(self) -> KafkaAddress:
        """Return Kafka's address, with the environment's login where it isn't the stack's own."""
        own = bool(self.of_kind("broker"))
        return KafkaAddress(self.kafka) if own else connection_settings().address(self.kafka)

    def mongo_uri(self) -> str:
        """Return MongoDB's URI, with the environment's TLS where it isn't the stack's own."""
        own = bool(self.of_kind("mongod"))
        return self.mongo if own else connection_settings().mongo_with_tls(self.mongo)

    @property
    def mongo_shown(self) -> str:
        """MongoDB's URI without user and password."""
        return _USER.sub("//", self.mongo)

    @property
    def gateway(self) -> str:
        """The address of the first gateway, which is also the base of all links."""
        return self.gateways[0]

    def part(self, name: str) -> Part | None:
        return next((part for part in self.parts if part.name == name), None)

    def of_kind(self, *kinds: Kind) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.kind in kinds)
