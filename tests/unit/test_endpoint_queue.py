"""The queue of an endpoint: its bounds, its circuit, and when it polls the database for more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from action_trigger.adapters.http_sender import HttpSender
from action_trigger.app.endpoint_client import MAX_IN_FLIGHT
from action_trigger.app.endpoint_queue import MAX_QUEUED, MAX_QUEUED_BYTES, EndpointQueue
from action_trigger.domain.circuit_breaker import PROBE_EVERY, THRESHOLD, OpenCircuit
from action_trigger.domain.delivery import PendingDelivery
from action_trigger.domain.retry_policy import NoResponse, Response
from order_contracts.order import ActionName
from support.fakes.memory_sender import MemorySender

NOW = datetime(2025, 12, 1, 12, tzinfo=UTC)
SOON = NOW + timedelta(seconds=5)
FAR = timedelta(hours=1)
DELIVERY = PendingDelivery(
    id="d0",
    order_id="o",
    partition=0,
    offset=0,
    action=ActionName.CUSTOM,
    size=1,
    attempts=0,
    scheduled=0,
    due_at=NOW,
    created_at=NOW,
    started_at=NOW,
)


def deliveries(count: int, *, first: int = 0, size: int = 1) -> list[PendingDelivery]:
    return [replace(DELIVERY, id=f"d{first + number}", size=size) for number in range(count)]


def filled(queue: EndpointQueue, items: list[PendingDelivery]) -> EndpointQueue:
    for item in items:
        queue.add(item)
    return queue


def queue_to(sender: MemorySender) -> EndpointQueue:
    queue = EndpointQueue("test")
    queue.configure(cast("HttpSender", sender), (ActionName.CUSTOM,))
    return queue


async def send(queue: EndpointQueue, times: int = 1) -> None:
    for _ in range(times):
        async with queue.client.slot(lambda: True):
            await queue.client.send("a", "{}", lambda: NOW)


async def with_open_circuit() -> tuple[EndpointQueue, MemorySender]:
    sender = MemorySender(NoResponse("timeout"))
    queue = queue_to(sender)
    await send(queue, THRESHOLD)
    return queue, sender


def test_a_queue_knows_what_it_has() -> None:
    queue = EndpointQueue("test")
    queued, new = replace(DELIVERY, id="queued", partition=7), replace(DELIVERY, id="new")
    queue.add(queued)
    assert (queue.is_new(queued), queue.is_new(new)) == (False, True)
    assert (queue.contains(queued), queue.contains(new)) == (True, False)
    assert queue.select([new]) == [new]
    assert not queue.wants_more
    assert (queue.partitions(), queue.space) == ({7: 1}, MAX_QUEUED - 1)


def test_what_is_released_during_a_poll_is_not_selected_from_its_outdated_result() -> None:
    queue = filled(EndpointQueue("test"), [DELIVERY])
    queue.release(DELIVERY)
    assert not queue.contains(DELIVERY)
    assert not queue.is_new(DELIVERY)


def test_no_more_are_selected_than_the_queue_holds() -> None:
    queue = filled(EndpointQueue("test"), deliveries(MAX_QUEUED - 2))
    assert queue.select(deliveries(5, first=MAX_QUEUED)) == deliveries(2, first=MAX_QUEUED)
    assert queue.fits(DELIVERY)
    assert not queue.has_space
    filled(queue, deliveries(2, first=MAX_QUEUED))
    assert not queue.fits(DELIVERY)


def test_large_deliveries_are_selected_until_their_size_reaches_the_bound() -> None:
    half = MAX_QUEUED_BYTES // 2
    queue = EndpointQueue("test")
    assert len(queue.select(deliveries(3, size=half))) == 2
    assert len(queue.select(deliveries(3, size=half - 1))) == 3
    assert queue.select([replace(DELIVERY, size=3 * half)])


def test_there_is_space_again_when_half_of_the_queue_is_empty() -> None:
    items = deliveries(MAX_QUEUED // 2 + 1)
    queue = filled(EndpointQueue("test"), items)
    assert not queue.has_space
    queue.release(items[0])
    assert queue.has_space
    queue.add(replace(DELIVERY, id="large", size=MAX_QUEUED_BYTES // 2))
    assert not queue.has_space


@pytest.mark.parametrize("page_full", [True, False])
def test_a_full_page_of_due_deliveries_leaves_more_in_the_database(page_full: bool) -> None:
    queue = EndpointQueue("test")
    queue.select(deliveries(3), page_full=page_full)
    assert queue.wants_more is page_full


def test_what_there_is_no_space_for_is_left_in_the_database() -> None:
    queue = EndpointQueue("test")
    filled(queue, queue.select(deliveries(MAX_QUEUED + 1)))
    queue.release(deliveries(1)[0])
    assert not queue.wants_more, "it is more than half full"
    for item in deliveries(MAX_QUEUED // 2, first=1):
        queue.release(item)
    assert queue.wants_more


async def test_ten_failures_in_a_row_leave_space_for_one_probe() -> None:
    sender = MemorySender(NoResponse("timeout"))
    queue = queue_to(sender)
    await send(queue, THRESHOLD - 1)
    assert queue.client.circuit_blocks_until(NOW) is None
    assert len(queue.select(deliveries(5))) == 5
    await send(queue)
    assert queue.client.circuit_blocks_until(NOW) == NOW + PROBE_EVERY
    assert queue.select(deliveries(5)) == deliveries(1)
    assert not queue.wants_more


async def test_the_next_probe_waits_for_the_response_to_the_first() -> None:
    queue, sender = await with_open_circuit()
    sender.answering.clear()
    probe = asyncio.create_task(send(queue))
    await asyncio.sleep(0)
    assert not queue.has_space
    sender.answering.set()
    await probe
    assert queue.has_space


@pytest.mark.parametrize("response", [Response(204), Response(400)])
async def test_an_endpoint_that_answers_a_probe_is_sent_to_again(response: Response) -> None:
    queue, sender = await with_open_circuit()
    sender.response = response
    await send(queue)
    assert queue.client.circuit_blocks_until(NOW) is None
    assert len(queue.select(deliveries(5))) == 5


async def test_an_operator_closes_the_circuit() -> None:
    queue, _ = await with_open_circuit()
    queue.reset()
    assert not queue.client.circuit_is_open


async def test_no_more_requests_are_in_flight_than_agreed() -> None:
    sender = MemorySender(Response(204))
    sender.answering.clear()
    queue = queue_to(sender)
    inside = 0

    async def count() -> None:
        nonlocal inside
        async with queue.client.slot(lambda: True):
            inside += 1
            await sender.answering.wait()

    tasks = [asyncio.create_task(count()) for _ in range(MAX_IN_FLIGHT + 5)]
    await asyncio.sleep(0.01)
    assert inside == MAX_IN_FLIGHT
    sender.answering.set()
    await asyncio.gather(*tasks)
    assert inside == MAX_IN_FLIGHT + 5


def test_an_endpoint_that_no_action_goes_to_has_no_timeout() -> None:
    with pytest.raises(LookupError, match="no action goes to test"):
        _ = EndpointQueue("test").client.timeout_seconds


class Polls:
    """Counts the polls of a queue, which asks for the next one in an hour."""

    def __init__(self) -> None:
        self.count = 0
        self.reads: list[bool] = []
        """Of each poll, whether it reads the database."""
        self.next_in = FAR
        self.during: Callable[[EndpointQueue], None] = lambda _: None

    async def poll(self, queue: EndpointQueue) -> datetime:
        self.count += 1
        self.reads.append(queue.reads)
        during, self.during = self.during, lambda _: None
        during(queue)
        return NOW + self.next_in


@asynccontextmanager
async def running(queue: EndpointQueue, polls: Polls) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(queue.run(polls.poll, lambda: NOW, stop))
    await asyncio.sleep(0.01)
    yield
    stop.set()
    queue.wake()
    async with asyncio.timeout(5):
        await task


async def polls_after(action: Callable[[EndpointQueue], None], queue: EndpointQueue) -> int:
    """Return how many polls *action* leads to while the queue sleeps."""
    polls = Polls()
    async with running(queue, polls):
        assert polls.count == 1
        action(queue)
        await asyncio.sleep(0.01)
        return polls.count - 1


async def reads_after(action: Callable[[EndpointQueue], None], queue: EndpointQueue) -> list[bool]:
    """Return of each poll whether it reads the database, those that *action* leads to at last."""
    polls = Polls()
    async with running(queue, polls):
        action(queue)
        await asyncio.sleep(0.01)
    return polls.reads


async def test_a_queue_polls_when_it_is_woken() -> None:
    assert await polls_after(lambda _: None, EndpointQueue("test")) == 0
    assert await polls_after(lambda queue: queue.wake(), EndpointQueue("test")) == 1


async def test_a_queue_is_polled_for_what_is_in_memory_without_reading_the_database() -> None:
    assert await reads_after(lambda queue: queue.notify(), EndpointQueue("test")) == [True, False]


async def test_a_queue_that_is_woken_as_well_reads_the_database() -> None:
    def both(queue: EndpointQueue) -> None:
        queue.wake()
        queue.notify()

    assert await reads_after(both, EndpointQueue("test")) == [True, True]


async def test_a_queue_reads_the_database_where_it_left_something_there() -> None:
    """What was recorded earlier goes first."""

    def left(queue: EndpointQueue) -> None:
        queue.poll_when_released()
        queue.notify()

    assert await reads_after(left, EndpointQueue("test")) == [True, True]


async def test_a_queue_reads_the_database_when_the_time_has_come() -> None:
    polls = Polls()
    polls.next_in = timedelta(milliseconds=1)
    async with running(EndpointQueue("test"), polls):
        await asyncio.sleep(0.05)
    assert len(polls.reads) > 1
    assert all(polls.reads)


async def test_a_read_whose_time_came_during_a_poll_is_not_put_off() -> None:
    """Whatever is in memory again and again."""
    polls = Polls()
    polls.next_in = timedelta()
    polls.during = lambda queue: queue.notify()
    async with running(EndpointQueue("test"), polls):
        assert polls.reads[:2] == [True, True]


async def test_a_queue_whose_circuit_is_open_reads_the_database_for_its_probe() -> None:
    queue, _ = await with_open_circuit()
    assert await reads_after(lambda queue: queue.notify(), queue) == [True, True]


async def test_a_queue_polls_when_it_is_configured_or_reset() -> None:
    assert await polls_after(lambda queue: queue.configure(None, ()), EndpointQueue("test")) == 1
    assert await polls_after(lambda queue: queue.reset(), EndpointQueue("test")) == 1


async def test_a_queue_polls_when_the_time_has_come() -> None:
    polls = Polls()
    polls.next_in = timedelta(milliseconds=1)
    async with running(EndpointQueue("test"), polls):
        await asyncio.sleep(0.05)
        assert polls.count > 1


async def test_a_wake_up_during_a_poll_leads_to_another() -> None:
    polls = Polls()
    polls.during = lambda queue: queue.wake()
    async with running(EndpointQueue("test"), polls):
        assert polls.count == 2


@pytest.mark.parametrize(
    ("due_at", "count"), [(NOW + FAR - timedelta(seconds=1), 1), (NOW + FAR, 0), (None, 0)]
)
async def test_a_released_delivery_that_is_due_before_the_next_poll_brings_it_forward(
    due_at: datetime | None, count: int
) -> None:
    queue = filled(EndpointQueue("test"), [DELIVERY])
    assert await polls_after(lambda queue: queue.release(DELIVERY, due_at), queue) == count


async def test_a_delivery_that_is_due_again_during_a_poll_leads_to_another() -> None:
    queue, polls = filled(EndpointQueue("test"), [DELIVERY]), Polls()
    polls.during = lambda queue: queue.release(DELIVERY, NOW + 2 * FAR)
    async with running(queue, polls):
        assert polls.count == 2


async def test_a_release_makes_a_full_queue_poll_for_what_is_left() -> None:
    items = deliveries(MAX_QUEUED // 2 + 2)
    queue = filled(EndpointQueue("test"), items)
    queue.poll_when_released()
    assert await polls_after(lambda queue: queue.release(items[0]), queue) == 0
    assert await polls_after(lambda queue: queue.release(items[1]), queue) == 1


async def test_what_was_released_before_a_poll_may_be_selected_in_it() -> None:
    queue = filled(EndpointQueue("test"), [DELIVERY])
    queue.release(DELIVERY)
    async with running(queue, Polls()):
        assert queue.is_new(DELIVERY)


async def test_an_open_circuit_tells_since_when_and_what_the_last_attempt_met() -> None:
    queue, sender = await with_open_circuit()
    opened = queue.client.open_circuit
    sender.response = Response(503)
    async with queue.client.slot(lambda: True):
        await queue.client.send("a", "{}", lambda: NOW + PROBE_EVERY)
    probed = queue.client.open_circuit
    await send_well(queue, sender)

    assert opened == OpenCircuit(NOW, NOW + PROBE_EVERY, THRESHOLD, NOW, None, "timeout")
    assert probed is not None
    assert (probed.since, probed.status, probed.reason) == (NOW, 503, None)
    assert probed.probe_at == NOW + 2 * PROBE_EVERY
    assert queue.client.open_circuit is None


async def send_well(queue: EndpointQueue, sender: MemorySender) -> None:
    sender.response = Response(204)
    await send(queue)


async def test_a_circuit_that_an_operator_closes_is_told_no_more() -> None:
    queue, _ = await with_open_circuit()
    queue.reset()
    assert queue.client.open_circuit is None
