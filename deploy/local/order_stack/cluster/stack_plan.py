"""What a stack is to consist of: its processes, addresses and files, before any of it runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from order_contracts.topics import GATEWAY
from order_operations.connections.system_address import DEFAULT_DATABASE
from order_stack.cluster import (
    kafka_brokers,
    logins,
    mongo_servers,
    ports,
    prometheus,
    services,
    zipkin,
)
from order_stack.cluster import stack_identity as identities
from order_stack.cluster.backend_login import inherited_variables
from order_stack.cluster.certificates import Authority
from order_stack.cluster.jars import classpath
from order_stack.cluster.kafka_brokers import BROKER_CERTIFICATE, Broker
from order_stack.cluster.logins import SecureBackends
from order_stack.cluster.mongo_servers import MONGOD_CERTIFICATE, ReplicaSetMember
from order_stack.cluster.parts import ADMIN, Part, Stack
from order_stack.cluster.services import Backends
from order_stack.cluster.stack_identity import StackIdentity
from order_stack.cluster.topology import ONE_OF_EACH, Topology

Report = Callable[[str], None]
"""Shows a person what is being done now."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """The caller's own data directory, brokers and database, where given, and what to start."""

    data: Path | None = None
    kafka: str | None = None
    mongo: str | None = None
    topology: Topology = ONE_OF_EACH
    traces: bool = False
    """Whether a Zipkin is started, to which the services send their traces."""
    metrics: bool = False
    """Whether a Prometheus is started, which scrapes the services."""


def plan(
    name: str, options: StackOptions, data: Path, own: StackIdentity, logs: Path, report: Report
) -> Stack:
    """Return the stack that *own* and *options* make; what it runs is looked for, and fetched."""
    secure = own.topology.secure
    wanted = {zipkin.NAME: options.traces, prometheus.NAME: options.metrics}
    urls = ports.free_urls([it for it in wanted if wanted[it]], own.ports.values())
    traces, metrics = urls.get(zipkin.NAME), urls.get(prometheus.NAME)
    backends = Backends(
        kafka=options.kafka or kafka_brokers.bootstrap(brokers_of(own, data)),
        mongo=options.mongo or mongo_servers.uri(members_of(own, data)),
        inherited=inherited_variables(
            own_kafka=options.kafka is None, own_mongo=options.mongo is None
        ),
        zipkin=traces,
    )
    return Stack(
        name=name,
        gateways=services.gateway_urls(own),
        apikey=own.apikey,
        kafka=backends.kafka,
        mongo=backends.mongo,
        database=DEFAULT_DATABASE,
        receiver=services.receiver_url(own),
        data=str(data),
        keep_data=options.data is not None,
        keys_file=str(identities.keys_file(data)),
        parts=(
            *([] if options.mongo else _mongods(own, data, logs)),
            *([] if options.kafka else _kafkas(own, data, logs, report)),
            services.receiver(own, logs),
            *([zipkin.part(zipkin.jar(report), traces, logs)] if traces else []),
            *([prometheus.part(prometheus.program(), metrics, data, logs)] if metrics else []),
            *services.services(own, backends, data, logs),
        ),
        logins=str(logins.logins_folder(data)) if secure else None,
        ca_file=str(logins.authority_file(data)) if secure else None,
        traces=f"{traces}/zipkin/" if traces else None,
        metrics=metrics,
    )


def brokers_of(own: StackIdentity, data: Path) -> tuple[Broker, ...]:
    return kafka_brokers.brokers(own.topology, own.ports, data)


def members_of(own: StackIdentity, data: Path) -> tuple[ReplicaSetMember, ...]:
    return mongo_servers.members(own.topology, own.ports, data)


def _mongods(own: StackIdentity, data: Path, logs: Path) -> list[Part]:
    mongod = mongo_servers.binary(os.environ)
    mongo_servers.check(mongod)
    return [mongo_servers.part(mongod, member, logs) for member in members_of(own, data)]


def _kafkas(own: StackIdentity, data: Path, logs: Path, report: Report) -> list[Part]:
    jvm = kafka_brokers.java(classpath(report), own.topology)
    admin = logins.login_file(data, ADMIN) if own.topology.secure else None
    return [kafka_brokers.part(jvm, it, logs, admin) for it in brokers_of(own, data)]


def write_logins(own: StackIdentity, data: Path) -> None:
    """
    Write what a secure stack's parts and clients are let in by.

    Certificates are new at each start; profiles and the members' key are kept.
    """
    authority = Authority(logins.certificates_folder(data))
    for name in (BROKER_CERTIFICATE, MONGOD_CERTIFICATE, ADMIN, GATEWAY):
        authority.issue(name)
    mongo_servers.write_key(logins.certificates_folder(data))
    brokers = brokers_of(own, data)
    backends = SecureBackends(
        kafka=kafka_brokers.bootstrap(brokers),
        internal=kafka_brokers.internal_bootstrap(brokers),
        mongo=mongo_servers.addresses(members_of(own, data)),
        replica_set=mongo_servers.REPLICA_SET,
    )
    logins.write_logins(data, backends)
