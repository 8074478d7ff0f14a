"""Put a whole stack up, or leave nothing behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from order_contracts.topics import TOPICS
from order_stack import identity as identities
from order_stack import kafka, mongo, services, state
from order_stack.down import stop_all, take_down
from order_stack.identity import Identity
from order_stack.jars import classpath
from order_stack.parts import Stack
from order_stack.probes import wait_for
from order_stack.problems import PortTaken, StackProblem
from order_stack.processes import alive, start
from order_stack.services import Backends
from order_stack.signals import Asked, uninterrupted

ATTEMPTS = 3
BACKEND_SECONDS = 60.0
SERVICE_SECONDS = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the caller brings along: a directory that is kept, a broker, a database."""

    data: Path | None = None
    kafka: str | None = None
    mongo: str | None = None


def up(name: str, wish: Wish, say: Say) -> Stack:
    """
    Start everything and return when all of it is ready.

    A port that somebody else takes in the meantime costs another attempt with other ports;
    a kept directory is bound to its ports, so there it is the caller's problem to solve.
    """
    folder = state.folder_of(name)
    _check_given(wish)
    with state.claimed(folder):
        _refuse_second(name, folder)
        for left in reversed(range(ATTEMPTS)):
            try:
                return _attempt(name, wish, folder, say)
            except PortTaken:
                if wish.data or not left:
                    raise
    raise AssertionError("the last attempt returns or raises")


def _refuse_second(name: str, folder: Path) -> None:
    """Leftovers of a stack whose processes are all gone, after a reboot say, are cleared."""
    stack = state.load(folder)
    if stack and alive(stack.parts, folder):
        raise StackProblem(
            f"Stack {name!r} is up already; `orders down --name {name}` stops it, and another "
            "--name runs beside it."
        )
    if stack:
        take_down(stack, folder)
        folder.mkdir(parents=True, mode=0o700)
    shutil.rmtree(folder / "logs", ignore_errors=True)


def _attempt(name: str, wish: Wish, folder: Path, say: Say) -> Stack:
    data = _data_folder(name, wish.data)
    try:
        own = identities.remembered(data) or identities.fresh(data)
        stack = _plan(name, wish, data, own, folder / "logs", say)
        # Remembered before anything runs, so that whatever happens `down` knows it.
        state.save(stack, folder)
        _start(stack, own, folder, say)
    except BaseException as error:
        with uninterrupted():
            _undo(data, wish, folder, keep_logs=not isinstance(error, Asked))
        raise
    return stack


def _data_folder(name: str, chosen: Path | None) -> Path:
    if chosen is None:
        return Path(tempfile.mkdtemp(prefix=f"ordermill-{name}-"))
    try:
        chosen.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StackProblem(f"{chosen} can't be used for --data: {error.strerror}.") from error
    return chosen.absolute()


def _undo(data: Path, wish: Wish, folder: Path, *, keep_logs: bool) -> None:
    if stack := state.load(folder):
        stop_all(stack, folder)
    if wish.data is None:
        shutil.rmtree(data, ignore_errors=True)
    state.forget(folder, keep_logs=keep_logs)


def _plan(name: str, wish: Wish, data: Path, own: Identity, logs: Path, say: Say) -> Stack:
    mongod = None if wish.mongo else mongo.part(_mongod(), data, own.ports["mongod"], logs)
    broker = None if wish.kafka else kafka.part(_jvm(say), data, own.ports["broker"], logs)
    backends = Backends(
        kafka=wish.kafka or f"127.0.0.1:{own.ports['broker']}",
        mongo=wish.mongo or mongo.uri(own.ports["mongod"]),
    )
    receiver = services.receiver(own, logs)
    return Stack(
        name=name,
        gateway=services.gateway_url(own),
        apikey=own.apikey,
        kafka=backends.kafka,
        mongo=backends.mongo,
        database=services.DATABASE,
        receiver=services.receiver_url(own),
        data=str(data),
        keep_data=wish.data is not None,
        keys_file=str(identities.keys_file(data)),
        parts=(
            *(part for part in (mongod, broker, receiver) if part),
            *services.services(own, backends, data, logs),
        ),
    )


def _mongod() -> Path:
    found = mongo.binary(os.environ)
    mongo.check(found)
    return found


def _jvm(say: Say) -> tuple[str, ...]:
    return kafka.java(classpath(say))


def _start(stack: Stack, own: Identity, folder: Path, say: Say) -> None:
    services.write_webhooks(own, Path(stack.data))
    _start_backends(stack, own, folder, say)
    kafka.create_topics(stack.kafka, TOPICS)
    say("Starting the gateway, the order-writer, the enricher and the action-trigger")
    four = stack.of_kind("service")
    for part in four:
        start(part, folder)
    wait_for(four, folder, lambda part: part.ready, SERVICE_SECONDS)


def _start_backends(stack: Stack, own: Identity, folder: Path, say: Say) -> None:
    """Start the database first: it comes up while Kafka's data folder is formatted."""
    say("Starting Kafka and MongoDB")
    ports, broker, mongod = own.ports, stack.part("broker"), stack.part("mongod")
    for part in stack.of_kind("mongod", "receiver"):
        start(part, folder)
    if broker:
        jvm = broker.argv[:-2]  # all but the main class and its settings
        kafka.prepare(jvm, Path(stack.data), own.cluster, ports["broker"], ports["controller"])
        start(broker, folder)
    if mongod:
        mongo.initiate(mongod, ports["mongod"], folder)
    backends = stack.of_kind("mongod", "broker", "receiver")
    wait_for(backends, folder, lambda part: part.ready, BACKEND_SECONDS)
    if broker:
        kafka.verify(stack.kafka, own.cluster)


def _check_given(wish: Wish) -> None:
    """What the caller brings is asked before anything of ours is started."""
    if wish.kafka:
        kafka.reach(wish.kafka)
    if wish.mongo:
        mongo.reach(wish.mongo)
