"""Whose Kafka and MongoDB the stack of a test session uses: `--stack`, or STACK of `make test`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pymongo import MongoClient

from order_operations.workloads.table import SERVICES
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until

OWN_PARTS = frozenset({"broker", "mongod"})


@dataclass(frozen=True, slots=True)
class Backends:
    """What `orders up` is told of Kafka and MongoDB, and which of them it starts itself."""

    options: tuple[str, ...] = ()
    parts: frozenset[str] = OWN_PARTS


@contextmanager
def embedded(_folder: Path) -> Iterator[Backends]:
    """Let the stack start its own."""
    yield Backends()


@contextmanager
def in_containers(_folder: Path) -> Iterator[Backends]:
    # Docker's client takes a while to import, and most sessions don't need it.
    from support.stack.containers import kafka_container, mongo_container  # noqa: PLC0415

    with kafka_container() as kafka, mongo_container() as mongo:
        yield _external(kafka, mongo)


@contextmanager
def of_another_stack(folder: Path) -> Iterator[Backends]:
    """Start a stack in *folder*, stop its services, and lend its Kafka and its MongoDB, emptied."""
    with running_stack(folder) as other:
        for service in SERVICES:
            other.kill(service, "TERM")
        until(lambda: not any(map(other.pid, SERVICES)), of="the other stack's services are gone")
        uri = _direct(other)
        with MongoClient[dict[str, object]](uri, timeoutMS=30_000) as mongo:
            mongo.drop_database(other.database)  # it remembers the other stack's secrets
        yield _external(other.kafka.servers, uri)


STACKS: Mapping[str, Callable[[Path], AbstractContextManager[Backends]]] = {
    "embedded": embedded,
    "containers": in_containers,
    "another": of_another_stack,
}


def _external(kafka: str, mongo: str) -> Backends:
    return Backends(("--kafka", kafka, "--mongo", mongo), frozenset())


def _direct(stack: RunningStack) -> str:
    """Return MongoDB's URI as a container's would be: without the name of the replica set."""
    return f"{stack.mongo.partition('?')[0]}?directConnection=true"
