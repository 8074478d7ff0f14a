"""What a stack consists of, as data: processes with names, addresses and probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["broker", "mongod", "receiver", "service"]


@dataclass(frozen=True, slots=True)
class Probe:
    """How to ask a part: a URL that answers 200, a broker's address, or a MongoDB URI."""

    kind: Literal["http", "kafka", "mongo"]
    address: str


@dataclass(frozen=True, slots=True)
class Part:
    """
    One process of a stack.

    `env` holds only what is added to the caller's environment, so that no state file ever
    carries the caller's own secrets. `url` is where its health is asked, for services; `address`
    is host and port, for brokers and the members of the replica set.
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


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as it was put up; which of its processes still run is asked of the system."""

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

    @property
    def gateway(self) -> str:
        """The address of the first gateway, which is also the base of all links."""
        return self.gateways[0]

    def part(self, name: str) -> Part | None:
        return next((part for part in self.parts if part.name == name), None)

    def of_kind(self, *kinds: Kind) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.kind in kinds)
