"""A stack as data: its processes with names, addresses and probes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from order_contracts.topics import OPERATOR
from order_operations.connections.profile import read_profile
from order_operations.connections.system_address import MongoAddress, SystemAddress
from order_runtime.kafka.address import KafkaAddress
from order_stack.cluster.backend_login import connection_settings

_USER: Final = re.compile("//[^@/]*@")

ADMIN: Final = "admin"
"""Beside the workloads, who may do everything: in Kafka by a certificate."""

Kind = Literal["broker", "mongod", "receiver", "service", "observer"]


def profile_in(folder: Path, workload: str) -> Path:
    """Return the profile of a workload, or of ADMIN, in a folder of logins."""
    return folder / f"{workload}.env"


@dataclass(frozen=True, slots=True)
class Probe:
    """What to ask: a URL that must answer 200, a broker's address, or a MongoDB URI."""

    kind: Literal["http", "kafka", "mongo"]
    address: str
    profile: str | None = None
    """The file with the login to that broker, where it asks for one."""


@dataclass(frozen=True, slots=True)
class Part:
    """
    One process of a stack.

    `env` holds only what is added to the caller's environment: it is saved, and the caller's own
    secrets must not be. `inherits` names those of its settings that are taken from there at each
    start. `login` is a file of settings that is read then, too. `url` is a service's address of
    health, or an observer's page; `address` is host and port of a broker or a member of the
    replica set.
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
    login: str | None = None


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
    logins: str | None = None
    """The folder of a secure stack's profiles, each named after its workload."""
    ca_file: str | None = None
    """The certificate that a secure stack's gateways are known by."""
    traces: str | None = None
    """Zipkin's page, where the stack has one."""
    metrics: str | None = None
    """Prometheus' page, where the stack has one."""

    def kafka_address(self, workload: str = OPERATOR) -> KafkaAddress:
        """
        Return Kafka's address, with the login of *workload* in a secure stack.

        Where Kafka isn't the stack's own, the login is the environment's.
        """
        if self.logins:
            return read_profile(self._profile(workload)).kafka_address()
        own = bool(self.of_kind("broker"))
        return KafkaAddress(self.kafka) if own else connection_settings().address(self.kafka)

    def mongo_address(self, workload: str = OPERATOR) -> MongoAddress:
        """Return the database's address; whose login it has is said above."""
        if self.logins:
            return read_profile(self._profile(workload)).mongo_address()
        own = bool(self.of_kind("mongod"))
        uri = self.mongo if own else connection_settings().mongo_with_tls(self.mongo)
        return MongoAddress(uri, self.database)

    def system_address(self, workload: str = OPERATOR) -> SystemAddress:
        return SystemAddress(self.kafka_address(workload), self.mongo_address(workload))

    def profiles(self) -> list[Path]:
        """Return the profiles of a secure stack."""
        return sorted(Path(self.logins).glob("*.env")) if self.logins else []

    def _profile(self, workload: str) -> Path:
        return profile_in(Path(self.logins or ""), workload)

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
