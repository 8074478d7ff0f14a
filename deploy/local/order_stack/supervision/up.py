"""Starts a whole stack, or leaves nothing behind."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from order_contracts.topics import MIGRATOR, topics_with
from order_operations.migrations import schema
from order_operations.topics import kafka_topics
from order_stack.cluster import (
    kafka_brokers,
    kafka_probe,
    logins,
    mongo_probe,
    prometheus,
    services,
    state,
    topology,
)
from order_stack.cluster import stack_identity as identities
from order_stack.cluster.backend_login import connection_settings
from order_stack.cluster.parts import ADMIN, Stack
from order_stack.cluster.stack_identity import StackIdentity
from order_stack.cluster.stack_plan import (
    Report,
    StackOptions,
    brokers_of,
    members_of,
    plan,
    write_logins,
)
from order_stack.problems import PortTaken, StackProblem
from order_stack.supervision import replica_set
from order_stack.supervision.down import stop_all, take_down
from order_stack.supervision.probes import wait_for
from order_stack.supervision.processes import alive, start
from order_stack.supervision.signals import StopRequested, ignoring_signals
from order_stack.supervision.stack_access import give_access

ATTEMPTS = 3
BACKEND_SECONDS = 120.0  # generous: a part that dies ends the wait at once
SERVICE_SECONDS = 120.0


def up(name: str, options: StackOptions, report: Report) -> Stack:
    """
    Start everything and return when all of it is ready.

    Where another process takes a chosen port in the meantime, tries again with other ports. A
    kept directory is bound to its ports: there PortTaken is raised.
    """
    folder = state.folder_of(name)
    _check_given(options)
    with state.claimed(folder):
        _refuse_second(name, folder)
        for left in reversed(range(ATTEMPTS)):
            try:
                return _attempt(name, options, folder, report)
            except PortTaken:
                if options.data or not left:
                    raise
    raise AssertionError("the last attempt returns or raises")


def _refuse_second(name: str, folder: Path) -> None:
    """Refuse a name that is in use; clear what a stack left whose processes are gone."""
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


def _attempt(name: str, options: StackOptions, folder: Path, report: Report) -> Stack:
    data = _data_folder(name, options.data)
    try:
        own = identities.remembered(data, options.topology) or identities.fresh(
            data, options.topology
        )
        stack = plan(name, options, data, own, folder / "logs", report)
        # Saved before anything runs, so that `orders down` can clear it whatever happens.
        state.save(stack, folder)
        _start(stack, own, folder, report)
    except BaseException as error:
        with ignoring_signals():
            _undo(data, options, folder, keep_logs=not isinstance(error, StopRequested))
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


def _undo(data: Path, options: StackOptions, folder: Path, *, keep_logs: bool) -> None:
    if stack := state.load(folder):
        stop_all(stack, folder)
    if options.data is None:
        shutil.rmtree(data, ignore_errors=True)
    state.forget(folder, keep_logs=keep_logs)


def _start(stack: Stack, own: StackIdentity, folder: Path, report: Report) -> None:
    services.write_webhooks(own, Path(stack.data))
    if stack.metrics:
        prometheus.write_config(own, Path(stack.data))
    if own.topology.secure:
        write_logins(own, Path(stack.data))
    _start_backends(stack, own, folder, report)
    if own.topology.secure:
        report("Making users and their rights")
        give_access(stack, without_login=stack.mongo)
    kafka_topics.apply(stack.kafka_address(MIGRATOR), topics_with(own.topology.partitions))
    _migrate(stack, report)
    report("Starting the gateway, the order-writer, the enricher and the action-trigger")
    ours = stack.of_kind("service")
    for part in ours:
        start(part, folder)
    wait_for((*ours, *stack.of_kind("observer")), folder, lambda part: part.ready, SERVICE_SECONDS)


def _migrate(stack: Stack, report: Report) -> None:
    """Make the database what this release wants; one of the user's may have other services."""
    own = bool(stack.of_kind("mongod"))
    report("Migrating the database")
    schema.apply(stack.mongo_address(MIGRATOR), lambda _: None, drop_retired=own)


def _start_backends(stack: Stack, own: StackIdentity, folder: Path, report: Report) -> None:
    """Start the database first: it comes up while Kafka's data folders are formatted."""
    report("Starting Kafka and MongoDB")
    data, kafkas, mongods = Path(stack.data), stack.of_kind("broker"), stack.of_kind("mongod")
    for part in stack.of_kind("mongod", "receiver", "observer"):
        start(part, folder)
    if kafkas:
        jvm = kafkas[0].argv[:-2]  # all but the main class and its settings
        certificates = logins.certificates_folder(data)
        kafka_brokers.prepare(jvm, brokers_of(own, data), own.cluster, certificates)
        for part in kafkas:
            start(part, folder)
    if mongods:
        replica_set.initiate(mongods, members_of(own, data), folder)
    backends = stack.of_kind("mongod", "broker", "receiver")
    wait_for(backends, folder, lambda part: part.ready, BACKEND_SECONDS)
    if kafkas:
        # Nobody else has a user yet.
        kafka_probe.verify(stack.kafka_address(ADMIN), own.cluster)


def _check_given(options: StackOptions) -> None:
    """Check the numbers, and the caller's brokers and database, before anything is started."""
    topology.check(options.topology)
    if options.topology.secure and (options.kafka or options.mongo):
        raise StackProblem(
            "--secure is about a Kafka and a MongoDB of the stack's own; of yours, the variables "
            "ORDERMILL_KAFKA_… and ORDERMILL_MONGO_… say how they let clients in."
        )
    if options.kafka and options.topology.brokers > 1:
        raise StackProblem("--brokers starts brokers and --kafka uses yours: pass one of the two.")
    if options.mongo and options.topology.mongo_members > 1:
        raise StackProblem(
            "--mongo-members starts a replica set and --mongo uses yours: pass one of the two."
        )
    if options.kafka:
        kafka_probe.check_reachable(connection_settings().address(options.kafka))
    if options.mongo:
        mongo_probe.check_usable(connection_settings().mongo_with_tls(options.mongo))
