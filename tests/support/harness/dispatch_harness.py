"""The action-trigger's dispatcher on a real MongoDB, with a real endpoint that can misbehave."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import REGISTRY
from pymongo import AsyncMongoClient

from action_trigger.adapters.delivery_schedule import DeliverySchedule
from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.adapters.endpoint_config import ENDPOINT_NAMES, parse_endpoints
from action_trigger.adapters.endpoint_state import EndpointStates
from action_trigger.adapters.http_connections import http_connections
from action_trigger.adapters.order_backlogs import OrderBacklogs
from action_trigger.adapters.partition_leases import PartitionLeases
from action_trigger.app.delivery_attempt import AttemptRunner, Clock
from action_trigger.app.dispatcher import Dispatcher, Stores
from action_trigger.app.endpoint_queue import EndpointQueue
from action_trigger.app.endpoint_reload import EndpointReload
from action_trigger.domain.decode import decode_action
from action_trigger.domain.delivery import PendingDelivery, ReceivedAction
from order_contracts.order import ActionName
from order_contracts.topics import TRIGGER
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import ACTION_DELIVERIES, ENDPOINTS, Document, async_client
from support.builders.actions import ASKED_AT, action_record, order_action
from support.harness.migrated_database import lent_database_async
from support.harness.webhook_endpoint import WebhookEndpoint, serving

PARTITIONS = range(12)
CONFIG = """
allow_private_addresses = true
[default]
url = "http://127.0.0.1:{port}/hook"
secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
timeout_seconds = {timeout}
[default.headers]
Authorization = "Bearer open-sesame"
From = "{owner}"
[actions.Custom]
url = "http://127.0.0.1:{port}/slow"
"""


def now() -> datetime:
    return datetime.now(UTC)


def gauge(name: str, endpoint: str) -> float | None:
    """Return the value of an endpoint's gauge of the action-trigger."""
    return REGISTRY.get_sample_value(f"ordermill_action_trigger_{name}", {"endpoint": endpoint})


class NoDispatch:
    """Stands for a dispatcher where nothing is to be sent."""

    def expect(self, ids: Iterable[str]) -> None: ...

    def recorded(self, actions: Sequence[ReceivedAction], created_at: datetime) -> None: ...


@dataclass(frozen=True)
class DispatchHarness:
    """A database and a webhook endpoint of its own; dispatchers are started on demand."""

    mongo: AsyncMongoClient[Document]
    database: str
    deliveries: DeliveryStore
    stores: Stores
    webhook_endpoint: WebhookEndpoint
    port: int
    dispatchers: list[Dispatcher] = field(default_factory=list)

    async def record(self, *items: ReceivedAction, at: datetime | None = None) -> None:
        """Record actions as the process does, with each dispatcher that runs."""
        for dispatcher in self.dispatchers:
            dispatcher.expect([it.action_id for it in items])
        created_at = at or now()
        found = await self.deliveries.record(items, created_at)
        for dispatcher in self.dispatchers:
            dispatcher.recorded(found, created_at)

    async def document(self, item: ReceivedAction) -> Document:
        found = await self.mongo[self.database][ACTION_DELIVERIES].find_one({"_id": item.action_id})
        assert found is not None
        return found

    async def due(self, limit: int = 10) -> tuple[PendingDelivery, ...]:
        """Return the first deliveries that are due now."""
        return (await self.stores.schedule.due(PARTITIONS, list(ActionName), now(), limit)).items

    async def states(self) -> Counter[str]:
        everything = self.mongo[self.database][ACTION_DELIVERIES].find({}, {"state": 1})
        return Counter([item["state"] async for item in everything])

    async def attempts(self) -> int:
        """Return the number of recorded attempts of all deliveries."""
        everything = self.mongo[self.database][ACTION_DELIVERIES].find({}, {"attempts": 1})
        return sum([len(item["attempts"]) async for item in everything])

    async def wait_for_states(self, wanted: dict[str, int], seconds: float = 20) -> None:
        async def look() -> bool:
            return await self.states() == wanted

        await eventually(look, seconds)

    async def set_endpoint_state(self, name: str, state: str) -> None:
        """Set an endpoint's state as an operator does."""
        await self.mongo[self.database][ENDPOINTS].update_one(
            {"_id": name}, {"$set": {"state": state, "since": now(), "by": "operator"}}, upsert=True
        )

    def config(self, *, owner: str = "one", timeout: float = 15) -> str:
        return CONFIG.format(port=self.port, timeout=timeout, owner=owner)

    @asynccontextmanager
    async def run_dispatcher(
        self,
        *,
        owner: str = "one",
        partitions: Collection[int] = PARTITIONS,
        config: str | None = None,
        clock: Callable[[], datetime] = now,
        file: Path | None = None,
        wrapped: Callable[[AttemptRunner], AttemptRunner] = lambda it: it,
    ) -> AsyncIterator[Dispatcher]:
        """Run a dispatcher with its background tasks, as the process does, for the body."""
        text = config or self.config(owner=owner)
        endpoints, stop = parse_endpoints(text), asyncio.Event()
        leases = PartitionLeases(self.mongo, self.database, owner, endpoints.longest_timeout)
        endpoint_states = EndpointStates(self.mongo, self.database)
        async with AsyncExitStack() as clean_up:
            http = await clean_up.enter_async_context(
                http_connections(allow_private_addresses=True)
            )
            queues = [EndpointQueue(name) for name in ENDPOINT_NAMES]
            endpoint_reload = EndpointReload(queues, {True: http}, leases, endpoint_states)
            attempt_clock = Clock(clock, random.random)
            attempt_runner = AttemptRunner(
                self.deliveries, leases, endpoint_states, attempt_clock, lambda: None
            )
            dispatcher = Dispatcher(
                self.stores,
                leases,
                endpoint_states,
                queues,
                wrapped(attempt_runner),
            )
            leases.assign(partitions)
            await endpoint_reload.use(endpoints)
            coroutines = [
                leases.keep(attempt_runner.busy, dispatcher.wake, stop),
                endpoint_states.watch(dispatcher.endpoints_changed, stop),
                dispatcher.run(stop),
                *([endpoint_reload.follow(file, text, stop)] if file else []),
            ]
            tasks = [asyncio.create_task(work) for work in coroutines]
            self.dispatchers.append(dispatcher)
            try:
                yield dispatcher
            finally:
                self.dispatchers.remove(dispatcher)
                stop.set()
                _, slow = await asyncio.wait(tasks, timeout=1)
                for task in slow:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task


@asynccontextmanager
async def dispatch_harness(mongo: str) -> AsyncIterator[DispatchHarness]:
    async with AsyncExitStack() as clean_up:
        client = await clean_up.enter_async_context(async_client(mongo, "test"))
        database = await clean_up.enter_async_context(lent_database_async(mongo, TRIGGER))
        deliveries, webhook_endpoint = DeliveryStore(client, database, b"secret"), WebhookEndpoint()
        port = await clean_up.enter_async_context(serving(webhook_endpoint))
        stores = Stores(
            deliveries, DeliverySchedule(client, database), OrderBacklogs(client, database)
        )
        yield DispatchHarness(client, database, deliveries, stores, webhook_endpoint, port)


def received_actions(
    count: int, action: ActionName = ActionName.CONFIRM_ORDER
) -> list[ReceivedAction]:
    return [received_action(number, action) for number in range(count)]


def actions_of_one_order(count: int) -> list[ReceivedAction]:
    return [received_action(12 * number, ActionName.CUSTOM, "o-1") for number in range(count)]


def received_action(offset: int, action: ActionName, order_id: str | None = None) -> ReceivedAction:
    sent = action_record(order_action(order_id, action))
    found = decode_action(
        Record(sent.topic, offset % 12, offset, ASKED_AT, sent.key, sent.value, sent.headers)
    )
    assert isinstance(found, ReceivedAction)
    return found


async def eventually(look: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if await look():
                return
            await asyncio.sleep(0.02)
