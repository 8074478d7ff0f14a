"""The streams, on Faust: batches of raw records, acknowledged only when they are wholly handled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final

import faust
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from enricher import metrics
from enricher.settings import Settings
from order_contracts.topics import ENRICHER
from order_runtime.kafka.offsets import WHAT_TO_DO
from order_runtime.kafka.received import from_faust
from order_runtime.kafka.records import Record, split_by_size
from order_runtime.process.errors import OffsetsLost
from order_runtime.process.logs import log

Handle = Callable[[Sequence[Record]], Awaitable[None]]
Events = asyncio.Queue[list[Any]]  # Faust's

WITHIN: Final = 0.02  # seconds in which events are collected
FEW: Final = 20  # events in that time: more say that there is a backlog
PORTION_BYTES: Final = 8 * 1024 * 1024  # of events that are handled together
GRACE: Final = 10.0  # seconds for what is in hand when the service is asked to stop


class Streams(faust.App):  # type: ignore[misc]  # Faust has no types that hold
    """Faust as a consumer: no tables, so no folders; no web server; no leader; no topics made."""

    async def on_first_start(self) -> None:
        """Faust would make a folder for tables in the working directory."""


def streams(settings: Settings) -> Streams:
    brokers = [f"kafka://{address.strip()}" for address in settings.kafka.split(",")]
    return Streams(
        ENRICHER,
        broker=";".join(brokers),
        broker_client_id=settings.instance,
        consumer_auto_offset_reset="none",
        # A topic that is deleted is left; one that is made anew is met within this time.
        consumer_metadata_max_age_ms=30_000,
        broker_session_timeout=10,
        broker_heartbeat_interval=1,  # by which members learn that one came or left
        # A database that is away for long must not cost the partitions: it is waited for.
        broker_max_poll_interval=24 * 3600,
        broker_commit_interval=0.5,
        stream_buffer_maxsize=2 * settings.batch,
        # Effects bear repetition, so a rebalance needn't wait for the batch in hand.
        stream_wait_empty=False,
        stream_recovery_delay=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )


class StreamConsumer:
    """Feeds each topic's records to its handler until it is asked to stop."""

    def __init__(self, settings: Settings, handlers: Mapping[str, Handle]) -> None:
        self._app = streams(settings)
        self._batch = settings.batch
        # One batch at a time, of whichever topic: no fact changes while it is being applied.
        self._turn = asyncio.Lock()
        self._assigned = False
        self._app.on_partitions_assigned.connect(self._take)
        self._handlers = {self._listen(topic): handle for topic, handle in handlers.items()}

    def ready(self) -> bool:
        """Return whether partitions are assigned; may be called from any thread."""
        return self._assigned and not self._app.rebalancing and not self._app.should_stop

    async def run(self, stop: asyncio.Event) -> None:
        """
        Consume until *stop*; then finish the batch in hand and commit.

        Whatever a handler raises ends it, with nothing of its batch acknowledged.
        """
        workers = [asyncio.create_task(self._work(*it)) for it in self._handlers.items()]
        await self._app.start()
        ends = [asyncio.create_task(it) for it in (stop.wait(), self._app.wait_until_stopped())]
        try:
            done, _ = await asyncio.wait([*ends, *workers], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if self._app.crashed:
                raise _ending(self._app.crash_reason)
            await self._pause()
        finally:
            for task in (*ends, *workers):
                task.cancel()
            # Bounded: with Kafka away there is nobody to take the last commit.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._app.stop(), GRACE)

    async def _take(self, *_: object, **__: object) -> None:
        self._assigned = True

    async def _pause(self) -> None:
        """Take the turn for good, so that no worker is cut off in the middle of a batch."""
        try:
            await asyncio.wait_for(self._turn.acquire(), GRACE)
        except TimeoutError:
            log().warning("stopping within a batch", seconds=GRACE)

    def _listen(self, topic: str) -> Events:
        """
        Return the queue that an agent fills with the topic's events.

        No more is done in the agent: an exception that left it would be logged by Faust, and the
        events skipped.
        """
        events: Events = asyncio.Queue(maxsize=2)
        raw = self._app.topic(
            topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )

        async def agent(stream: Any) -> None:
            # Not take(): it acknowledges also what was not handled.
            async for some in stream.noack_take(self._batch, within=WITHIN):
                await events.put(some)

        self._app.agent(raw, name=f"enricher.{topic}", concurrency=1)(agent)
        return events

    async def _collected(self, events: Events) -> list[Any]:
        """Return what comes next: at once where it is little, else with what follows closely."""
        batch = await events.get()
        if len(batch) > FEW:
            with suppress(TimeoutError):
                async with asyncio.timeout(WITHIN * 3):
                    while len(batch) < self._batch:
                        batch.extend(await events.get())
        return batch

    async def _work(self, events: Events, handle: Handle) -> None:
        """Handle what has come in, and acknowledge it only then."""
        while True:
            batch = await self._collected(events)
            async with self._turn:
                began = time.monotonic()
                await handle_and_ack(batch, handle)
            topic = batch[0].message.topic
            metrics.BATCH_SECONDS.labels(topic).observe(time.monotonic() - began)


def _ending(reason: BaseException) -> BaseException:
    """Return why Faust gave up, in a sentence where it is for the operator to act."""
    if isinstance(reason, OffsetOutOfRangeError | NoOffsetForPartitionError):
        return OffsetsLost(f"{reason}. {WHAT_TO_DO}")
    return reason


async def handle_and_ack(events: Sequence[Any], handle: Handle) -> None:
    """
    Handle *events* of one topic, and acknowledge them only when that is done.

    In portions: read, an event takes about ten times the memory that it has as bytes.
    """
    left = iter(events)
    for records in split_by_size([from_faust(event.message) for event in events], PORTION_BYTES):
        await handle(records)
        for event in islice(left, len(records)):
            event.ack()
