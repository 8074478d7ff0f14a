"""Kafka and MongoDB that deny by default, and a user of both for each workload with its rights."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from pymongo import MongoClient

from order_operations.access_plan import role_of
from order_operations.workloads import WORKLOADS
from order_runtime.kafka.address import KafkaAddress, Mechanism
from order_stack.cluster import services, stack_identity
from order_stack.cluster.parts import Part
from order_stack.cluster.services import DATABASE, Backends
from order_stack.cluster.topology import Topology
from support.stack.oauth_server import oauth_server
from support.stack.running_stack import OrdersCommand, RunningStack
from support.stack.secure_broker import SecureBroker, login_variables, secure_broker
from support.stack.secure_mongod import login_uri, mongod_with_logins
from support.stack.wait import until

ADMIN = "admin"
PARTITIONS = 1
_PASSWORD = "a-password"


@dataclass(frozen=True, slots=True)
class SecuredSystem:
    """Addresses by workload; the administrator may do everything."""

    broker: SecureBroker
    mongo: str
    command: OrdersCommand

    def kafka_of(self, who: str) -> KafkaAddress:
        if who == ADMIN:
            return self.broker.by_certificate()
        return self.broker.by_login(Mechanism.SCRAM_SHA_512, user=who)

    def mongo_of(self, who: str) -> str:
        port = urlsplit(self.mongo).port
        return self.mongo if who == ADMIN else login_uri(port or 0, who, _PASSWORD, DATABASE)

    def variables_of(self, who: str) -> Mapping[str, str]:
        """Return the settings by which a service logs in."""
        kafka = self.kafka_of(who)
        addresses = {"ORDERMILL_KAFKA": kafka.servers, "ORDERMILL_MONGO": self.mongo_of(who)}
        return {**login_variables(kafka), **addresses}

    def orders(self, who: str, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `orders ARGS` on this system with somebody's logins."""
        where = ("--kafka", self.kafka_of(who).servers, "--mongo", self.mongo_of(who))
        env = login_variables(self.kafka_of(who))
        return self.command.run(*args, *where, env=env, check=check)


@contextmanager
def secured_system(folder: Path) -> Iterator[SecuredSystem]:
    """Start both; the administrator makes rights and users, the migrator topics and indexes."""
    names = [it.name for it in WORKLOADS]
    with ExitStack() as stack:
        oauth = stack.enter_context(oauth_server("nobody", "nothing"))
        broker = stack.enter_context(secure_broker(folder, oauth, names, authorizer=True))
        mongo = stack.enter_context(mongod_with_logins(folder))
        system = SecuredSystem(broker, mongo, OrdersCommand("secured", folder))
        system.orders(ADMIN, "access", "apply")
        _make_users(mongo)
        system.orders("migrator", "topics", "apply", "--partitions", str(PARTITIONS))
        system.orders("migrator", "migrate", "apply")
        yield system


def _make_users(mongo: str) -> None:
    with MongoClient[dict[str, Any]](mongo) as client:
        for workload in WORKLOADS:
            roles = [role_of(workload)] if workload.mongo else []
            user = {"createUser": workload.name, "pwd": _PASSWORD, "roles": roles}
            client[DATABASE].command(user)


@contextmanager
def running_services(system: SecuredSystem, folder: Path) -> Iterator[RunningStack]:
    """Start the four services, each with its own logins, and a receiver; yield when all are up."""
    identity = stack_identity.fresh(folder, Topology(partitions=PARTITIONS))
    services.write_webhooks(identity, folder)
    logs = system.command.home / system.command.name / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    ours = services.services(identity, Backends("", ""), folder, logs)
    receiver = services.receiver(identity, logs)
    with ExitStack() as stack:
        stack.enter_context(_running(receiver, {}))
        for part in ours:
            stack.enter_context(_running(part, system.variables_of(part.name)))
        for part in (receiver, *ours):
            until(lambda part=part: _is_ready(part), seconds=60, of=part.name)  # type: ignore[misc]
        yield RunningStack(
            system.command,
            system.command.name,
            services.gateway_urls(identity),
            identity.apikey,
            "",
            "",
            services.receiver_url(identity),
        )


@contextmanager
def _running(part: Part, logins: Mapping[str, str]) -> Iterator[None]:
    with Path(part.log).open("ab") as log:
        environ = {**os.environ, **part.env, **logins}
        process = subprocess.Popen(part.argv, env=environ, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(part: Part) -> bool:
    try:
        return httpx.get(part.ready.address).status_code == 200
    except httpx.TransportError:
        return False
