"""The action-trigger as a process: composes its parts and runs until it is told to stop."""

from __future__ import annotations

import asyncio
import random
import sys
import traceback
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Any, Final

from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.adapters.endpoint_config import (
    ENDPOINT_NAMES,
    EndpointConfig,
    EndpointConfigError,
    parse_endpoints,
    read_config,
)
from action_trigger.adapters.endpoint_state import EndpointStates
from action_trigger.adapters.http_sender import session
from action_trigger.adapters.kafka_consumer import ActionRecorder, Assignment, consume
from action_trigger.adapters.partition_leases import PartitionLeases
from action_trigger.app.delivery_attempt import AttemptRunner, Clock
from action_trigger.app.dispatcher import Dispatcher
from action_trigger.app.endpoint_queue import EndpointQueue
from action_trigger.app.endpoint_reload import EndpointReload
from action_trigger.app.outcome_publisher import OutcomePublisher
from action_trigger.settings import Settings
from order_contracts.topics import TRIGGER
from order_runtime.kafka.publisher import Publisher
from order_runtime.mongo.client import async_client
from order_runtime.process import health, logs
from order_runtime.process.errors import UnrecoverableError
from order_runtime.process.retry import retry_transient
from order_runtime.process.settings import load, refuse
from order_runtime.process.signals import async_stop_event, unless_stopped
from order_runtime.startup.preflight import preflight
from order_runtime.startup.requirements import ObservedTopic

GRACE: Final = 2.0  # seconds beyond the longest timeout, for the requests in flight at the end
LAST_WORDS: Final = 3.0  # seconds to tell of what they became


async def main(settings: Settings, text: str, config: EndpointConfig) -> None:
    """Run until told to stop; *config* is what *text*, that of the webhooks file, says."""
    stop = async_stop_event()
    async with AsyncExitStack() as clean_up:
        mongo = async_client(settings.mongo, settings.instance)
        clean_up.push_async_callback(mongo.close)
        publisher = await clean_up.enter_async_context(Publisher(settings.kafka, settings.instance))
        sessions = {
            allowed: await clean_up.enter_async_context(session(allow_private_addresses=allowed))
            for allowed in (False, True)
        }
        deliveries = DeliveryStore(mongo, settings.database, settings.erasure_secret.encode())
        leases = PartitionLeases(
            mongo, settings.database, settings.instance, config.longest_timeout
        )
        endpoint_states = EndpointStates(mongo, settings.database)
        outcome_publisher = OutcomePublisher(
            mongo, settings.database, deliveries, publisher, leases.held
        )
        queues = [EndpointQueue(name) for name in ENDPOINT_NAMES]
        endpoint_reload = EndpointReload(queues, sessions, leases, endpoint_states)
        chance = Clock(lambda: datetime.now(UTC), random.random)
        attempt_runner = AttemptRunner(
            deliveries, leases, endpoint_states, chance, outcome_publisher.wake
        )
        dispatcher = Dispatcher(deliveries, leases, endpoint_states, queues, attempt_runner)
        recorder = ActionRecorder(deliveries, publisher, dispatcher.wake)
        assignment = Assignment(leases.assign)

        def taken() -> None:
            dispatcher.wake()
            outcome_publisher.wake()

        def endpoints_changed(names: Iterable[str]) -> None:
            dispatcher.endpoints_changed(names)
            outcome_publisher.wake()

        clean_up.enter_context(
            health.serving(
                settings.health_host, settings.health_port, ready=lambda: assignment.ready
            )
        )
        if await unless_stopped(stop, _prepared(deliveries, settings)) is None:
            return
        await endpoint_reload.use(config)
        await _until(
            stop,
            consume(settings.kafka, settings.instance, assignment, recorder, stop),
            leases.keep(attempt_runner.busy, taken, stop),
            endpoint_states.watch(endpoints_changed, stop),
            endpoint_reload.follow(settings.webhooks_file, text, stop),
            dispatcher.run(stop),
            outcome_publisher.run(stop),
            _when(stop, outcome_publisher.wake),
            grace=lambda: leases.longest + GRACE,
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await outcome_publisher.tell()
                await leases.give_back_all()


async def _prepared(deliveries: DeliveryStore, settings: Settings) -> Mapping[str, ObservedTopic]:
    """Return when MongoDB and Kafka are there, and are what we rely on; raises CannotGoOn."""
    topics = await preflight(settings.kafka, settings.mongo, TRIGGER)
    await retry_transient(deliveries.ensure_indexes)
    await retry_transient(deliveries.same_secret)
    return topics


async def _until(
    stop: asyncio.Event, *parts: Coroutine[Any, Any, None], grace: Callable[[], float]
) -> None:
    """Run all parts until *stop*, and up to *grace* seconds longer; an error ends them all."""
    work = asyncio.create_task(_together(parts))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not work.done():
        await asyncio.wait({work}, timeout=grace())
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


async def _together(parts: Iterable[Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for part in parts:
            tasks.create_task(part)


async def _when(stop: asyncio.Event, wake: Callable[[], None]) -> None:
    await stop.wait()
    wake()


def _causes(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _causes(part)
    else:
        yield error


def run() -> int:
    settings = load(Settings)
    logs.configure(TRIGGER, settings.instance, settings.log_level)
    try:
        text = read_config(settings.webhooks_file)
        config = parse_endpoints(text)
    except EndpointConfigError as error:
        refuse([str(error)])
    try:
        asyncio.run(main(settings, text, config))
    except Exception as error:  # noqa: BLE001  the process ends, nothing is committed
        for cause in _causes(error):
            _say(cause)
        return 1
    return 0


def _say(cause: BaseException) -> None:
    """Log what ended us; an unknown error without its text, which may quote a document."""
    if isinstance(cause, UnrecoverableError):
        logs.log().critical(str(cause))
    else:
        where = traceback.format_tb(cause.__traceback__)[-3:]
        logs.log().critical("an unknown error ends it", error=type(cause).__name__, where=where)


if __name__ == "__main__":
    sys.exit(run())
