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
from order_operations import kafka_rights, mongo_rights
from order_operations.access_rights import KafkaRight, MongoRight
from order_operations.service_processes import (
    ENRICHER_PROCESS,
    GATEWAY_PROCESS,
    TRIGGER_PROCESS,
    WRITER_PROCESS,
    ServiceProcess,
)

ORDER_PUBLISHER: Final = "order-publisher"
REFERENCE_PUBLISHER: Final = "reference-publisher"
EVENT_READER: Final = "event-reader"


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


WORKLOADS: Final = (
    Workload(
        GATEWAY,
        kafka_rights.gateway(GATEWAY),
        mongo_rights.service(GATEWAY),
        process=GATEWAY_PROCESS,
    ),
    Workload(
        WRITER, kafka_rights.consumer(WRITER), mongo_rights.service(WRITER), process=WRITER_PROCESS
    ),
    Workload(
        ENRICHER, kafka_rights.enricher(), mongo_rights.service(ENRICHER), process=ENRICHER_PROCESS
    ),
    Workload(
        TRIGGER,
        kafka_rights.consumer(TRIGGER),
        mongo_rights.service(TRIGGER),
        process=TRIGGER_PROCESS,
    ),
    Workload(ORDER_PUBLISHER, kafka_rights.order_publisher()),
    Workload(REFERENCE_PUBLISHER, kafka_rights.reference_publisher()),
    Workload(EVENT_READER, kafka_rights.event_reader(), owns_groups=True),
    Workload(OPERATOR, kafka_rights.operator(), mongo_rights.operator()),
    Workload(MIGRATOR, kafka_rights.migrator(), mongo_rights.migrator()),
)
SERVICES: Final[Mapping[str, ServiceProcess]] = MappingProxyType(
    {it.name: it.process for it in WORKLOADS if it.process is not None}
)
"""The workloads that are processes of the system, by name."""
