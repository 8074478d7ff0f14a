"""The system's own processes as data: how each is started, what it is given, how many there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

HEALTH: Final = "health"
HTTP: Final = "http"


class SharedSecret(StrEnum):
    """A secret that several processes are given, and that isn't a login."""

    JOB = "job-secrets"
    ERASURE = "erasure-secret"


class SharedFile(StrEnum):
    """A file that an operator writes, and that processes read again when it changes."""

    API_KEYS = "keys.json"
    WEBHOOKS = "webhooks.toml"
    CERTIFICATE = "tls.crt"
    CERTIFICATE_KEY = "tls.key"


@dataclass(frozen=True, slots=True)
class ByCpu:
    """As many processes as keep their CPU below a part of what they ask for."""

    percent: int


@dataclass(frozen=True, slots=True)
class ByLag:
    """A process for each so many records that wait in a topic which the service reads."""

    records: int


@dataclass(frozen=True, slots=True)
class ByQuery:
    """A process for each so much of what a query of Prometheus returns."""

    query: str
    each: int


Scaling = ByCpu | ByLag | ByQuery


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """
    A service, by what a process of it is given.

    Settings are named without `ORDERMILL_`. Beside those named here each service has the addresses
    of Kafka and MongoDB, its logins, the database and the name of the process: see
    `order_runtime.process.settings`.
    """

    module: str
    """What `python -m` runs."""
    secrets: Mapping[str, SharedSecret]
    """By the setting that holds it."""
    files: Mapping[str, SharedFile] = field(default_factory=dict)
    """By the setting that names its path."""
    tls_files: Mapping[str, SharedFile] = field(default_factory=dict)
    """Likewise, where the process itself ends TLS."""
    ports: Mapping[str, str] = field(default_factory=lambda: {HEALTH: "HEALTH_PORT"})
    """The setting of each port, by the port's name."""
    partitioned: bool = True
    """Whether it reads partitions: then there are no more processes than partitions."""
    live: str = "/livez"
    """Where the port of `health` answers 200 unless the process must be started again."""
    ready: str = "/readyz"
    """Where it answers 200 while the process does its work."""
    replicas: int = 2
    """So many that one may die."""
    most: int = 12
    """So many at the most; of a partitioned service no more than there are partitions."""
    scaling: Scaling = ByCpu(70)
    """What asks for more processes, between these two numbers."""
    cpu: str = "500m"
    """What a process asks for, as Kubernetes writes it; it may take more where there is some."""
    memory: str = "512Mi"
    """What a process asks for and must stay below."""


GATEWAY_PROCESS: Final = ServiceProcess(
    "gateway",
    secrets={"JOB_SECRETS": SharedSecret.JOB, "ERASURE_SECRET": SharedSecret.ERASURE},
    files={"KEYS_FILE": SharedFile.API_KEYS},
    tls_files={
        "TLS_CERT_FILE": SharedFile.CERTIFICATE,
        "TLS_KEY_FILE": SharedFile.CERTIFICATE_KEY,
    },
    ports={HEALTH: "HEALTH_PORT", HTTP: "PORT"},
    partitioned=False,
)
WRITER_PROCESS: Final = ServiceProcess(
    "order_writer", {"JOB_SECRETS": SharedSecret.JOB}, scaling=ByLag(10_000)
)
ENRICHER_PROCESS: Final = ServiceProcess(
    "enricher", {"ERASURE_SECRET": SharedSecret.ERASURE}, scaling=ByLag(5_000), memory="768Mi"
)
TRIGGER_PROCESS: Final = ServiceProcess(
    "action_trigger",
    {"ERASURE_SECRET": SharedSecret.ERASURE},
    files={"WEBHOOKS_FILE": SharedFile.WEBHOOKS},
    # Not by lag: actions are recorded at once, and wait in MongoDB until they are due.
    scaling=ByQuery("max(ordermill_action_trigger_overdue_deliveries)", 100),
)
