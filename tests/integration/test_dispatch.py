"""The dispatcher and the announcer on a real MongoDB and a real, badly behaved HTTP server."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import web
from pymongo import AsyncMongoClient

from action_trigger.announce import Announcer
from action_trigger.decode import decoded
from action_trigger.deliveries import Deliveries
from action_trigger.delivery import Recorded
from action_trigger.dispatch import Chance, Dispatcher
from action_trigger.endpoints import endpoints
from action_trigger.hand import AT_ONCE, WINDOW, Hand
from action_trigger.leases import Leases
from action_trigger.sender import Sender, session
from order_contracts.order import ActionName
from order_runtime.mongo import JOBS, LEASES, Document, async_client
from order_runtime.records import Outgoing, Record
from support.actions import ASKED_AT, message, order_action
from support.builders import unique
from support.stack import RunningStack

pytestmark = pytest.mark.stack

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


class Trigger:
    """Answers 204; hangs for ever where it is told to."""

    def __init__(self) -> None:
        self.hangs = False
        self.status = 204
        self.seen: Counter[str] = Counter()
        self.senders: set[str] = set()
        self.at_once = self.most_at_once = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.seen[request.headers["webhook-id"]] += 1
        self.senders.add(request.headers["From"])
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(60 if self.hangs and request.path == "/slow" else 0.001)
        finally:
            self.at_once -= 1
        if self.status == 302:
            raise web.HTTPFound("/elsewhere")
        text = f"You sent {request.headers['Authorization']}. " + "x" * 10_000
        return web.Response(status=self.status, text=text)


@pytest.fixture
async def mongo(stack: RunningStack) -> AsyncIterator[AsyncMongoClient[Document]]:
    async with async_client(stack.mongo, "test") as client:
        yield client


@pytest.fixture
def database() -> str:
    return unique("dispatch")


@pytest.fixture
async def deliveries(mongo: AsyncMongoClient[Document], database: str) -> AsyncIterator[Deliveries]:
    found = Deliveries(mongo, database)
    await found.ensure_indexes()
    yield found
    await mongo.drop_database(database)


@pytest.fixture
async def trigger() -> AsyncIterator[tuple[Trigger, int]]:
    played = Trigger()
    app = web.Application()
    app.router.add_post("/{path:.*}", played.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield played, runner.addresses[0][1]
    await runner.cleanup()


@asynccontextmanager
async def dispatching(
    mongo: AsyncMongoClient[Document],
    database: str,
    port: int,
    *,
    owner: str = "one",
    partitions: Collection[int] = range(12),
    patience: float = 15,
) -> AsyncIterator[Dispatcher]:
    """Run a dispatcher as the process does, until the body is done."""
    config = endpoints(CONFIG.format(port=port, timeout=patience, owner=owner))
    stop = asyncio.Event()
    leases = Leases(mongo, database, owner, config.longest_timeout)
    async with session(allow_private_addresses=True) as http:
        hands = [Hand(Sender(http, route.endpoint), route.actions) for route in config.routes]
        chance = Chance(lambda: datetime.now(UTC), random.random)
        dispatcher = Dispatcher(Deliveries(mongo, database), leases, hands, chance, lambda: None)
        leases.assign(partitions)
        tasks = [
            asyncio.create_task(leases.keep(dispatcher.busy, dispatcher.wake, stop)),
            asyncio.create_task(dispatcher.run(stop)),
        ]
        try:
            yield dispatcher
        finally:
            stop.set()
            _, slow = await asyncio.wait(tasks, timeout=1)
            for task in slow:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


def recorded(count: int, action: ActionName = ActionName.CONFIRM_ORDER) -> list[Recorded]:
    return [readable(number, action) for number in range(count)]


def readable(offset: int, action: ActionName) -> Recorded:
    sent = message(order_action(action=action))
    found = decoded(
        Record(sent.topic, offset % 12, offset, ASKED_AT, sent.key, sent.value, sent.headers)
    )
    assert isinstance(found, Recorded)
    return found


async def states(mongo: AsyncMongoClient[Document], database: str) -> Counter[str]:
    return Counter([item["state"] async for item in mongo[database]["deliveries"].find()])


async def eventually(look: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if await look():
                return
            await asyncio.sleep(0.02)


async def settle(
    mongo: AsyncMongoClient[Document], database: str, wanted: dict[str, int], seconds: float = 20
) -> None:
    async def look() -> bool:
        return await states(mongo, database) == wanted

    await eventually(look, seconds)


async def test_an_endpoint_that_hangs_does_not_slow_the_others(
    mongo: AsyncMongoClient[Document],
    database: str,
    deliveries: Deliveries,
    trigger: tuple[Trigger, int],
) -> None:
    """More than a whole hand hangs, so that waiting behind it would be seen."""
    played, port = trigger
    played.hangs = True
    now = datetime.now(UTC)
    await deliveries.record(recorded(WINDOW + 50, ActionName.CUSTOM), now)
    await deliveries.record(recorded(200), now)
    async with dispatching(mongo, database, port):
        await settle(mongo, database, {"pending": WINDOW + 50, "delivered": 200}, 10)
        assert played.at_once == AT_ONCE


async def test_each_is_sent_once_and_no_more_at_once_than_agreed(
    mongo: AsyncMongoClient[Document],
    database: str,
    deliveries: Deliveries,
    trigger: tuple[Trigger, int],
) -> None:
    played, port = trigger
    await deliveries.record(recorded(1_500), datetime.now(UTC))
    async with dispatching(mongo, database, port):
        await settle(mongo, database, {"delivered": 1_500}, 60)
    assert set(played.seen.values()) == {1}
    assert played.most_at_once <= AT_ONCE


async def test_a_timeout_is_recorded_and_tried_again(
    mongo: AsyncMongoClient[Document],
    database: str,
    deliveries: Deliveries,
    trigger: tuple[Trigger, int],
) -> None:
    played, port = trigger
    played.hangs = True
    (one,) = recorded(1, ActionName.CUSTOM)
    await deliveries.record([one], datetime.now(UTC))

    async def tried() -> bool:
        (head,) = await deliveries.pending_of([one.order_id])
        return head.attempts == 1

    async with dispatching(mongo, database, port, patience=0.3):
        await eventually(tried)
        played.hangs = False
        await settle(mongo, database, {"delivered": 1})
    found = await mongo[database]["deliveries"].find_one({"_id": one.action_id})
    assert found is not None
    assert found["attempts"][0]["answer"] == "timeout"
    assert 300 <= found["attempts"][0]["durationMs"] < 3_000


async def test_a_redirect_is_not_followed_and_an_answer_is_kept_without_secrets(
    mongo: AsyncMongoClient[Document],
    database: str,
    deliveries: Deliveries,
    trigger: tuple[Trigger, int],
) -> None:
    played, port = trigger
    played.status = 302
    (one,) = recorded(1)
    await deliveries.record([one], datetime.now(UTC))

    async def seen() -> bool:
        return bool(played.seen)

    async with dispatching(mongo, database, port):
        await eventually(seen)
        played.status = 204
        await settle(mongo, database, {"delivered": 1})
    assert played.seen == {one.action_id: 2}
    found = await mongo[database]["deliveries"].find_one({"_id": one.action_id})
    assert found is not None
    assert [attempt["status"] for attempt in found["attempts"]] == [302, 204]
    assert "open-sesame" not in str(found["attempts"])


async def test_a_410_keeps_the_delivery(
    mongo: AsyncMongoClient[Document],
    database: str,
    deliveries: Deliveries,
    trigger: tuple[Trigger, int],
) -> None:
    played, port = trigger
    played.status = 410
    await deliveries.record(recorded(1), datetime.now(UTC))
    async with dispatching(mongo, database, port):
        await settle(mongo, database, {"disabled": 1})
    assert not await deliveries.unannounced(range(12), 10)


async def test_nothing_is_sent_while_another_holds_the_lease(
    mongo: AsyncMongoClient[Document],
    database: str,
    deliveries: Deliveries,
    trigger: tuple[Trigger, int],
) -> None:
    """Two workers believe that a partition is theirs, as around a rebalance."""
    played, port = trigger

    async def held() -> bool:
        return await mongo[database][LEASES].count_documents({"owner": "first"}) == 12

    async with dispatching(mongo, database, port, owner="first"):
        await eventually(held)
    await deliveries.record(recorded(200), datetime.now(UTC))
    async with (
        dispatching(mongo, database, port, owner="second"),
        # As after a kill: the lease runs on, and the same name takes it back at once.
        dispatching(mongo, database, port, owner="first"),
    ):
        await settle(mongo, database, {"delivered": 200}, 10)
    assert played.senders == {"first"}
    assert set(played.seen.values()) == {1}


class Broker:
    """Takes records; once, it takes them and the process dies before it hears so."""

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []
        self.deaf = True

    async def publish(self, record: Outgoing) -> None:
        await self.publish_all([record])

    async def publish_all(self, records: Sequence[Outgoing]) -> None:
        self.taken += records
        if self.deaf:
            raise ConnectionAbortedError


async def test_what_a_crash_left_untold_is_told_again_under_the_same_id(
    mongo: AsyncMongoClient[Document],
    database: str,
    deliveries: Deliveries,
    trigger: tuple[Trigger, int],
) -> None:
    _, port = trigger
    (one,) = recorded(1)
    await mongo[database][JOBS].insert_one({"_id": one.job_id})
    await deliveries.record([one], datetime.now(UTC))
    async with dispatching(mongo, database, port):
        await settle(mongo, database, {"delivered": 1})
    broker = Broker()
    announcer = Announcer(mongo, database, deliveries, broker, lambda: range(12))
    with pytest.raises(ConnectionAbortedError):
        await announcer.tell()
    broker.deaf = False
    assert await announcer.tell() == 1
    assert await announcer.tell() == 0
    first, again = broker.taken
    assert first == again
    job = await mongo[database][JOBS].find_one({"_id": one.job_id})
    assert job is not None
    assert job["delivery"]["state"] == "delivered"


async def test_a_duplicate_changes_nothing_of_what_is_there(
    mongo: AsyncMongoClient[Document], database: str, deliveries: Deliveries
) -> None:
    known, new = recorded(2)
    await deliveries.record([known], ASKED_AT)
    await deliveries.record([replace(known, body="{}"), new], datetime.now(UTC))
    assert await deliveries.bodies([known.action_id]) == {known.action_id: known.body}
    assert await states(mongo, database) == {"pending": 2}
