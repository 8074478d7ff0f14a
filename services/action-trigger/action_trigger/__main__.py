"""The action-trigger as a process: composes its parts and delivers until it is told to stop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import uvloop
from pymongo import AsyncMongoClient

from action_trigger.adapters.circuit_records import CircuitRecords, Circuits
from action_trigger.adapters.delivery_gauges import delivery_gauges
from action_trigger.adapters.delivery_schedule import DeliverySchedule
from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.adapters.endpoint_config import (
    ENDPOINT_NAMES,
    EndpointConfig,
    EndpointConfigError,
    parse_endpoints,
    read_config,
)
from action_trigger.adapters.endpoint_state import EndpointStates
from action_trigger.adapters.http_connections import HttpConnections, http_connections
from action_trigger.adapters.kafka_consumer import Assignment, Turns, consume
from action_trigger.adapters.order_backlogs import OrderBacklogs
from action_trigger.adapters.partition_leases import PartitionLeases
from action_trigger.app.action_recorder import ActionRecorder
from action_trigger.app.delivery_attempt import AttemptRunner, Clock
from action_trigger.app.dispatcher import Dispatcher, Stores
from action_trigger.app.endpoint_queue import EndpointQueue
from action_trigger.app.endpoint_reload import EndpointReload
from action_trigger.app.outcome_publisher import OutcomePublisher
from action_trigger.settings import Settings
from order_contracts.topics import ACTIONS, TRIGGER
from order_runtime.documents.consumer_offsets import GroupOffsets, Offsets
from order_runtime.kafka.publisher import Publisher
from order_runtime.kafka.refusal_log import log_refusal
from order_runtime.mongo.client import Document, async_client
from order_runtime.mongo.consumer_pauses import ConsumerPauses
from order_runtime.mongo.stored_offsets import StoredOffsets
from order_runtime.observability.progress import Loop, beating
from order_runtime.observability.tracing import Tracing
from order_runtime.observability.watch import watched
from order_runtime.process.errors import BadSettings
from order_runtime.process.retry import retry_transient
from order_runtime.process.service_runner import Process, run_service
from order_runtime.process.signals import async_stop_event, run_until, unless_stopped
from order_runtime.startup.preflight import preflight
from order_runtime.startup.stored_offsets import group_of, require_stored_offsets

GRACE: Final = 2.0  # seconds beyond the longest timeout, for the requests in flight at the end
LAST_ANNOUNCEMENT: Final = 3.0  # seconds to announce what those requests came to


@dataclass(frozen=True, slots=True)
class Clients:
    """The connections of the process; closed when it ends."""

    mongo: AsyncMongoClient[Document]
    publisher: Publisher
    sessions: Mapping[bool, HttpConnections]
    """By whether private addresses are allowed."""


class Parts:
    """The parts of the action-trigger, put together."""

    def __init__(
        self,
        settings: Settings,
        config: EndpointConfig,
        clients: Clients,
        offsets: tuple[GroupOffsets, Offsets],
        tracing: Tracing | None = None,
    ) -> None:
        mongo, database = clients.mongo, settings.database
        self.offsets = StoredOffsets(mongo, database, *offsets)
        secret = settings.erasure_secret.encode()
        self.deliveries = DeliveryStore(mongo, database, secret)
        self.leases = PartitionLeases(mongo, database, settings.instance, config.longest_timeout)
        states = self.endpoint_states = EndpointStates(mongo, database)
        self.outcomes = OutcomePublisher(
            mongo, database, self.deliveries, clients.publisher, self.leases.held
        )
        queues = [EndpointQueue(name) for name in ENDPOINT_NAMES]
        self.queues = queues
        self.circuits = CircuitRecords(mongo, database, settings.instance)
        self.reload = EndpointReload(queues, clients.sessions, self.leases, states)
        clock = Clock(lambda: datetime.now(UTC), random.random)
        self.attempts = AttemptRunner(
            self.deliveries, self.leases, states, clock, self.outcomes.wake, tracing
        )
        stores = Stores(
            self.deliveries, DeliverySchedule(mongo, database), OrderBacklogs(mongo, database)
        )
        self.dispatcher = Dispatcher(stores, self.leases, states, queues, self.attempts)
        self.recorder = ActionRecorder(
            mongo[database], self.deliveries, clients.publisher, self.dispatcher, tracing
        )
        self.assignment = Assignment(self.leases.assign)

    def open_circuits(self) -> Circuits:
        return {queue.name: queue.client.open_circuit for queue in self.queues}

    def leases_changed(self) -> None:
        self.dispatcher.wake()
        self.outcomes.wake()

    def endpoints_changed(self, names: Iterable[str]) -> None:
        self.dispatcher.endpoints_changed(names)
        self.outcomes.wake()


def run(process: Process[Settings]) -> None:
    """Deliver until asked to stop; waits for Kafka and MongoDB where they are away."""
    pauses = ConsumerPauses(TRIGGER)
    gauges = partial(delivery_gauges, partitions=process.settings.partitions)
    with watched(process, TRIGGER, gauges, pauses.refresh):
        text, config = read_endpoints(process.settings.webhooks_file)
        record_and_deliver(process, text, config, pauses)


def read_endpoints(file: Path) -> tuple[str, EndpointConfig]:
    """Return the text of the webhooks file and what it says; raises BadSettings."""
    try:
        text = read_config(file)
        return text, parse_endpoints(text)
    except EndpointConfigError as error:
        raise BadSettings(str(error)) from error


def record_and_deliver(
    process: Process[Settings], text: str, config: EndpointConfig, pauses: ConsumerPauses
) -> None:
    settings = process.settings
    kafka, mongo = settings.kafka_address, settings.mongo_uri
    group = group_of(TRIGGER, preflight(settings, TRIGGER, process.stop))
    stored = require_stored_offsets(kafka, mongo, settings.database, group, process.stop)
    uvloop.run(deliver(process, text, config, (group, stored), pauses))


async def deliver(
    process: Process[Settings],
    text: str,
    config: EndpointConfig,
    offsets: tuple[GroupOffsets, Offsets],
    pauses: ConsumerPauses,
) -> None:
    """
    Deliver until told to stop.

    *config* is what *text*, that of the webhooks file, says; *offsets* are the group's as they
    are stored.
    """
    settings, stop = process.settings, async_stop_event(process.stop)
    batches, events = Loop("actions"), Loop("event loop")
    process.probes.loops += [batches, events]
    turns = Turns(stop, batches, partial(pauses.holds, ACTIONS.name))
    async with connected(settings) as clients, beating(events):
        parts = Parts(settings, config, clients, offsets, process.tracing)
        process.probes.ready = lambda: parts.assignment.ready
        if not await unless_stopped(stop, prepared(parts.deliveries)):
            return
        await parts.reload.use(config)
        await run_until(
            stop,
            consume(settings, parts.assignment, parts.recorder.record, parts.offsets, turns),
            parts.offsets.watch(stop),
            parts.leases.keep(parts.attempts.busy, parts.leases_changed, stop),
            parts.endpoint_states.watch(parts.endpoints_changed, stop),
            parts.circuits.watch(parts.open_circuits, stop),
            parts.reload.follow(settings.webhooks_file, text, stop),
            parts.dispatcher.run(stop),
            parts.outcomes.run(stop),
            wake_at_the_end(stop, parts.outcomes),
            grace=lambda: parts.leases.longest + GRACE,
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_ANNOUNCEMENT):
                await parts.outcomes.announce()
                await parts.leases.give_back_all()


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Clients]:
    async with (
        async_client(settings.mongo_uri, settings.instance) as mongo,
        Publisher(settings.kafka_address, settings.instance, on_error=log_refusal) as publisher,
        http_connections(allow_private_addresses=False) as public,
        http_connections(allow_private_addresses=True) as private,
    ):
        yield Clients(mongo, publisher, {False: public, True: private})


async def prepared(deliveries: DeliveryStore) -> bool:
    """Return true; raises RequirementNotMet for another erasure secret than before."""
    await retry_transient(deliveries.same_secret)
    return True


async def wake_at_the_end(stop: asyncio.Event, outcomes: OutcomePublisher) -> None:
    await stop.wait()
    outcomes.wake()


if __name__ == "__main__":
    run_service(TRIGGER, Settings, run)
