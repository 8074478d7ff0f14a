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

from action_trigger.adapters.delivery_store import Deliveries
from action_trigger.adapters.endpoint_config import (
    NAMES,
    BadEndpoints,
    Endpoints,
    endpoints,
    text_of,
)
from action_trigger.adapters.endpoint_state import Gates
from action_trigger.adapters.http_sender import session
from action_trigger.adapters.kafka_consumer import Assignment, Recorder, consume
from action_trigger.adapters.partition_leases import Leases
from action_trigger.app.delivery_attempt import Chance, Courier
from action_trigger.app.dispatcher import Dispatcher
from action_trigger.app.endpoint_queue import Hand
from action_trigger.app.endpoint_reload import Routing
from action_trigger.app.outcome_publisher import Announcer
from action_trigger.settings import Settings
from order_contracts.topics import TRIGGER
from order_runtime.kafka.publisher import Publisher
from order_runtime.mongo.client import async_client
from order_runtime.process import health, logs
from order_runtime.process.errors import CannotGoOn
from order_runtime.process.retry import patiently
from order_runtime.process.settings import load, refuse
from order_runtime.process.signals import async_stop_event, before
from order_runtime.startup.preflight import examined
from order_runtime.startup.requirements import Described

GRACE: Final = 2.0  # seconds beyond the longest timeout, for the requests in flight at the end
LAST_WORDS: Final = 3.0  # seconds to tell of what they became


async def main(settings: Settings, text: str, config: Endpoints) -> None:
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
        deliveries = Deliveries(mongo, settings.database, settings.erasure_secret.encode())
        leases = Leases(mongo, settings.database, settings.instance, config.longest_timeout)
        gates = Gates(mongo, settings.database)
        announcer = Announcer(mongo, settings.database, deliveries, publisher, leases.held)
        hands = [Hand(name) for name in NAMES]
        routing = Routing(hands, sessions, leases, gates)
        chance = Chance(lambda: datetime.now(UTC), random.random)
        courier = Courier(deliveries, leases, gates, chance, announcer.wake)
        dispatcher = Dispatcher(deliveries, leases, gates, hands, courier)
        recorder = Recorder(deliveries, publisher, dispatcher.wake)
        assignment = Assignment(leases.assign)

        def taken() -> None:
            dispatcher.wake()
            announcer.wake()

        def moved(names: Iterable[str]) -> None:
            dispatcher.moved(names)
            announcer.wake()

        clean_up.enter_context(
            health.serving(
                settings.health_host, settings.health_port, ready=lambda: assignment.ready
            )
        )
        if await before(stop, _prepared(deliveries, settings)) is None:
            return
        await routing.use(config)
        await _until(
            stop,
            consume(settings.kafka, settings.instance, assignment, recorder, stop),
            leases.keep(courier.busy, taken, stop),
            gates.watch(moved, stop),
            routing.follow(settings.webhooks_file, text, stop),
            dispatcher.run(stop),
            announcer.run(stop),
            _when(stop, announcer.wake),
            grace=lambda: leases.longest + GRACE,
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await announcer.tell()
                await leases.give_back_all()


async def _prepared(deliveries: Deliveries, settings: Settings) -> Mapping[str, Described]:
    """Return when MongoDB and Kafka are there, and are what we rely on; raises CannotGoOn."""
    topics = await examined(settings.kafka, settings.mongo, TRIGGER)
    await patiently(deliveries.ensure_indexes)
    await patiently(deliveries.same_secret)
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
        text = text_of(settings.webhooks_file)
        config = endpoints(text)
    except BadEndpoints as error:
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
    if isinstance(cause, CannotGoOn):
        logs.log().critical(str(cause))
    else:
        where = traceback.format_tb(cause.__traceback__)[-3:]
        logs.log().critical("an unknown error ends it", error=type(cause).__name__, where=where)


if __name__ == "__main__":
    sys.exit(run())
