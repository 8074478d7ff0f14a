"""
Every workload as data: the services, and who is outside, each with no more rights than it needs.

`orders access apply` makes a cluster's ACLs and a database's roles what is said here; `orders up`
starts the processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from order_contracts.topics import ENRICHER, GATEWAY, MIGRATOR, OPERATOR, TRIGGER, WRITER
from order_operations.workloads import kafka_rights, mongo_rights
from order_operations.workloads.processes import (
    ENRICHER_PROCESS,
    GATEWAY_PROCESS,
    TRIGGER_PROCESS,
    WRITER_PROCESS,
    ServiceProcess,
)
from order_runtime.access.kafka_rights import service_rights as kafka_service_rights
from order_runtime.access.mongo_rights import service_rights as mongo_service_rights
from order_runtime.access.rights import KafkaRight, MongoRight

ORDER_PUBLISHER: Final = "order-publisher"
REFERENCE_PUBLISHER: Final = "reference-publisher"
EVENT_READER: Final = "event-reader"
DASHBOARD: Final = "dashboard"


@dataclass(frozen=True, slots=True)
class Workload:
    """A process of the system, a person, or another system, by what it may do."""

    name: str
    kafka: frozenset[KafkaRight]
    mongo: frozenset[MongoRight] = frozenset()
    owns_groups: bool = False
    """Whether it may also use consumer groups that are named after its principal."""
    process: ServiceProcess | None = None
    """How it runs; None where it is a person, a command or another system."""


def _service(name: str, process: ServiceProcess) -> Workload:
    rights = kafka_service_rights(name), mongo_service_rights(name)
    return Workload(name, *rights, process=process)


WORKLOADS: Final = (
    _service(GATEWAY, GATEWAY_PROCESS),
    _service(WRITER, WRITER_PROCESS),
    _service(ENRICHER, ENRICHER_PROCESS),
    _service(TRIGGER, TRIGGER_PROCESS),
    Workload(ORDER_PUBLISHER, kafka_rights.order_publisher()),
    Workload(REFERENCE_PUBLISHER, kafka_rights.reference_publisher()),
    Workload(EVENT_READER, kafka_rights.event_reader(), owns_groups=True),
    Workload(DASHBOARD, kafka_rights.dashboard(), owns_groups=True),
    Workload(OPERATOR, kafka_rights.operator(), mongo_rights.operator()),
    Workload(MIGRATOR, kafka_rights.migrator(), mongo_rights.migrator()),
)
SERVICES: Final[Mapping[str, ServiceProcess]] = MappingProxyType(
    {it.name: it.process for it in WORKLOADS if it.process is not None}
)
"""The workloads that are processes of the system, by name."""
