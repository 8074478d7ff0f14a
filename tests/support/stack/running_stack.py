"""A real stack for tests, controlled by the `orders` command like a user's."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from pymongo import MongoClient

from order_contracts.topics import OPERATOR
from order_operations.connections.kafka_client import admin_client
from order_operations.connections.profile import Profile, read_profile
from order_runtime.kafka.address import KafkaAddress
from order_stack.cluster.parts import ADMIN, profile_in
from support.stack.wait import until

ORDERS = Path(sys.executable).with_name("orders")
DATABASE = "ordermill"
SECONDS = 110.0  # for one command; below a test's timeout, so that its output is seen


CLUSTER_OPTIONS = (
    *("--brokers", "3", "--mongo-members", "3", "--gateways", "2"),
    *("--writers", "2", "--enrichers", "2", "--triggers", "2"),
)
"""Options of `orders up` for a stack that survives the death of any one process."""


@dataclass(frozen=True, slots=True)
class OrdersCommand:
    """The `orders` command on one stack, in a state folder of its own."""

    name: str
    home: Path
    program: Path = ORDERS

    def run(
        self,
        *args: str,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run `orders ARGS --name …`; with *check* a failure raises with output and logs."""
        done = subprocess.run(
            self.argv(*args),
            env=self.environ(env),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"orders {' '.join(args)}: {done.stderr}\n{self.log_tails()}")
        return done

    def argv(self, *args: str) -> list[str]:
        return [str(self.program), *args, "--name", self.name]

    def environ(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**os.environ, "ORDERS_HOME": str(self.home), **(extra or {})}

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--json", check=False).stdout)
        return found

    def log_tails(self, *names: str) -> str:
        """Return the end of each log, or of those named, for error messages."""
        found = sorted((self.home / self.name / "logs").glob("*.log"))
        logs = [log for log in found if not names or log.stem in names]
        return "\n".join(
            f"== {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs
        )


@dataclass(frozen=True, slots=True)
class RunningStack:
    """The addresses of a running stack, and operations on its processes."""

    command: OrdersCommand
    name: str
    gateways: tuple[str, ...]
    apikey: str
    kafka: KafkaAddress
    """With the administrator's login, where the stack is secure; so is MongoDB's URI."""
    mongo: str
    receiver: str
    database: str = DATABASE
    logins: Path | None = None
    """The folder of the profiles of a secure stack."""
    ca_file: str | None = None

    @property
    def gateway(self) -> str:
        return self.gateways[0]

    @property
    def tls(self) -> ssl.SSLContext | bool:
        """What HTTP clients trust: the authority of a secure stack, or whom the system does."""
        return ssl.create_default_context(cafile=self.ca_file) if self.ca_file else True

    def profile(self, workload: str) -> Profile:
        """Return the login of a workload to a secure stack."""
        return read_profile(self.profile_file(workload))

    def profile_file(self, workload: str) -> Path:
        assert self.logins is not None, "the stack isn't secure"
        return profile_in(self.logins, workload)

    def orders(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.command.run(*args, check=check)

    def status(self) -> dict[str, Any]:
        return self.command.status()

    def kill(self, service: str, signal: str = "KILL") -> None:
        self.orders("kill", service, "--signal", signal)

    def start(self, service: str, *, wait: bool = True, **settings: str) -> None:
        """Start a process; *settings* are added to its environment for this start only."""
        changed = (arg for name, value in settings.items() for arg in ("--set", f"{name}={value}"))
        self.orders("start", service, "--wait" if wait else "--no-wait", *changed)

    def pid(self, name: str) -> int | None:
        """Return a part's process id; None while it isn't running."""
        found: int | None = self.part(name)["pid"]
        return found

    def leader_of(self, topic: str, partition: int = 0) -> str:
        """Return the name of the partition's leader."""
        seen = admin_client(self._as_a_client()).list_topics(topic, timeout=30)
        leader = seen.brokers[seen.topics[topic].partitions[partition].leader]
        return self._at(f"{leader.host}:{leader.port}")

    def coordinator_of(self, group: str) -> str:
        """Return the name of the broker that coordinates a consumer group."""
        client = admin_client(self._as_a_client())
        node = client.describe_consumer_groups([group])[group].result(30).coordinator
        return self._at(f"{node.host}:{node.port}")

    def primary(self) -> str:
        """Wait for a primary; return the name of its mongod."""
        with MongoClient[dict[str, Any]](self.mongo, serverSelectionTimeoutMS=30_000) as client:
            host, port = until(lambda: client.primary, of="a primary")
        return self._at(f"{host}:{port}")

    def _as_a_client(self) -> KafkaAddress:
        """Return Kafka as its clients see it: the administrator has a listener of its own."""
        return self.profile(OPERATOR).kafka_address() if self.logins else self.kafka

    def _at(self, address: str) -> str:
        names = {part.get("address"): part["name"] for part in self.status()["parts"]}
        found: str = names[address]
        return found

    def part(self, name: str) -> dict[str, Any]:
        """Return the current status of a service, broker or mongod."""
        seen = self.status()
        both: list[dict[str, Any]] = [*seen["services"], *seen["parts"]]
        return next(item for item in both if item["name"] == name)


@contextmanager
def running_stack(
    home: Path,
    *args: str,
    env: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
    program: Path = ORDERS,
) -> Iterator[RunningStack]:
    """
    Start a stack with a unique name, and always stop it afterwards.

    It is started by *program*, the `orders` of another release, and then controlled by our own.
    """
    command = OrdersCommand(f"test-{uuid4().hex[:8]}", home)
    try:
        up = replace(command, program=program).run(
            "up", "--detach", "--json", *args, env=env, seconds=seconds
        )
        seen = json.loads(up.stdout)
        yield _running_stack(command, seen)
    finally:
        command.run("down", check=False)


def _running_stack(command: OrdersCommand, seen: Mapping[str, Any]) -> RunningStack:
    stack = RunningStack(
        command,
        command.name,
        gateways=tuple(seen["gateways"]),
        apikey=seen["apikey"],
        kafka=KafkaAddress(seen["kafka"]),
        mongo=seen["mongo"],
        receiver=seen["receiver"],
    )
    if not seen.get("logins"):
        return stack
    stack = replace(stack, logins=Path(seen["logins"]), ca_file=seen["caFile"])
    admin = stack.profile(ADMIN)
    return replace(stack, kafka=admin.kafka_address(), mongo=admin.mongo_address().uri)


def processes_under(home: Path) -> list[psutil.Process]:
    """Return the processes of all stacks under a state folder, by working directory."""
    return [process for process in psutil.process_iter() if _works_under(process, home)]


def _works_under(process: psutil.Process, home: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(home)
    except (psutil.Error, OSError):
        return False


@contextmanager
def paused(stack: RunningStack, service: str) -> Iterator[None]:
    stack.kill(service, "STOP")
    try:
        yield
    finally:
        stack.kill(service, "CONT")
