"""Consuming with Faust: batches of raw records, acknowledged once they are handled completely."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from itertools import islice
from typing import Any, Final

import faust
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.auth import Credentials, OAuthCredentials, SASLCredentials, SSLCredentials

from enricher import metrics
from enricher.adapters.acked_offsets import GapConsumer
from enricher.adapters.waiting_events import WaitingEvents
from enricher.log_events import STOPPING_WITHIN_A_BATCH
from enricher.settings import Settings
from order_contracts.topics import ENRICHER
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.aiokafka_login import aiokafka_config
from order_runtime.kafka.bounded_fetching import bound_fetches
from order_runtime.kafka.byte_budget import ByteBudget
from order_runtime.kafka.offsets import WHAT_TO_DO
from order_runtime.kafka.record_conversion import from_faust
from order_runtime.kafka.records import Record, split_by_size
from order_runtime.observability.progress import Loop
from order_runtime.process.errors import OffsetsLost
from order_runtime.process.logs import log

Handle = Callable[[Sequence[Record]], Awaitable[None]]

BACKLOG: Final = 20  # events that wait: where there are more, others follow closely
BACKLOG_SECONDS: Final = 0.06  # for which a batch of a backlog is filled
PORTION_BYTES: Final = 8 * 1024 * 1024  # of events that are handled together
IN_HAND_BYTES: Final = 32 * 1024 * 1024  # of events that are read and not acknowledged
HEADER_BYTES: Final = 128  # of a header in memory, about
READ_AT_ONCE: Final = 32  # records, whatever they weigh
STOP_TIMEOUT: Final = 10.0  # seconds for the current batch when the service is asked to stop


class FaustApp(faust.App):  # type: ignore[misc]  # Faust's types are incomplete
    """Faust as a mere consumer: no tables, no folders, no web server, no leader, no new topics."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.budget = ByteBudget(IN_HAND_BYTES)
        self.paused: Callable[[str], bool] = lambda _: False
        self.on_partitions_assigned.connect(self._reset_budget)

    def _new_consumer(self) -> Any:
        """Return Faust's consumer, which waits while the events in hand have too many bytes."""
        self.transport.Consumer = GapConsumer
        consumer = super()._new_consumer()
        consumer.paused_topic = self.paused
        forward = consumer.callback

        async def on_message(message: Any) -> None:
            await self.budget.take(_size(message))
            await forward(message)

        consumer.callback = on_message
        return consumer

    async def _reset_budget(self, *_: object, **__: object) -> None:
        self.budget.reset()

    async def on_first_start(self) -> None:
        """Do nothing: Faust would create a folder for tables in the working directory."""


def faust_app(settings: Settings) -> FaustApp:
    brokers = [f"kafka://{address.strip()}" for address in settings.kafka.split(",")]
    return FaustApp(
        ENRICHER,
        broker=";".join(brokers),
        broker_credentials=_credentials(settings.kafka_address),
        broker_client_id=settings.instance,
        consumer_auto_offset_reset="none",
        # Within this time a deleted topic is dropped, and a recreated one is found.
        consumer_metadata_max_age_ms=30_000,
        broker_session_timeout=10,
        broker_heartbeat_interval=1,  # how soon members learn of a rebalance
        # While the database is unavailable the service waits, and must keep its partitions.
        broker_max_poll_interval=24 * 3600,
        broker_commit_interval=0.5,
        broker_max_poll_records=READ_AT_ONCE,
        stream_buffer_maxsize=2 * settings.batch,
        # Effects are idempotent, so a rebalance needn't wait for the current batch.
        stream_wait_empty=False,
        stream_recovery_delay=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )


def _credentials(kafka: KafkaAddress) -> Credentials | None:
    """Return what Faust passes on to aiokafka; None for plain text."""
    given = aiokafka_config(kafka)
    tls = given.get("ssl_context")
    if "sasl_oauth_token_provider" in given:
        return OAuthCredentials(oauth_cb=given["sasl_oauth_token_provider"], ssl_context=tls)
    if "sasl_mechanism" in given:
        return SASLCredentials(
            username=given["sasl_plain_username"],
            password=given["sasl_plain_password"],
            mechanism=given["sasl_mechanism"],
            ssl_context=tls,
        )
    return SSLCredentials(tls) if tls is not None else None


class StreamConsumer:
    """Passes each topic's records to its handler until it is asked to stop."""

    def __init__(
        self,
        settings: Settings,
        handlers: Mapping[str, Handle],
        loop: Loop | None = None,
        paused: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """*paused* tells of a topic whether nothing is to be read of it for now."""
        bound_fetches()
        self._app = faust_app(settings)
        self._app.paused = paused
        self._batch_size = settings.batch
        # One batch at a time, of any topic: reference data doesn't change within a batch.
        self._batch_lock = asyncio.Lock()
        self._waiting = 0  # batches that wait for it
        self._assigned = False
        self._loop = loop or Loop("batches")
        self._app.on_partitions_assigned.connect(self._on_assigned)
        self._handlers = {self._subscribe(topic): handle for topic, handle in handlers.items()}

    def ready(self) -> bool:
        """Return whether partitions are assigned; may be called from any thread."""
        return self._assigned and not self._app.rebalancing and not self._app.should_stop

    def turn(self) -> AbstractAsyncContextManager[object]:
        """Return the turn of a batch: no other one, and no other holder's, is handled within it."""
        return self._batch_lock

    def others_wait(self) -> bool:
        """Return whether batches wait for their turn."""
        return bool(self._waiting)

    async def run(self, stop: asyncio.Event) -> None:
        """
        Consume until *stop*; then finish the current batch and commit.

        An exception of a handler is raised, with nothing of its batch acknowledged.
        """
        workers = [asyncio.create_task(self._work(*it)) for it in self._handlers.items()]
        await self._app.start()
        ends = [asyncio.create_task(it) for it in (stop.wait(), self._app.wait_until_stopped())]
        try:
            done, _ = await asyncio.wait([*ends, *workers], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if self._app.crashed:
                raise _crash_reason(self._app.crash_reason)
            await self._finish_batch()
        finally:
            for task in (*ends, *workers):
                task.cancel()
            # Bounded: the last commit never ends while Kafka is unavailable.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._app.stop(), STOP_TIMEOUT)

    async def _on_assigned(self, *_: object, **__: object) -> None:
        self._assigned = True

    async def _finish_batch(self) -> None:
        """Keep the lock for good, so that no worker is cancelled in the middle of a batch."""
        try:
            await asyncio.wait_for(self._batch_lock.acquire(), STOP_TIMEOUT)
        except TimeoutError:
            log().warning(STOPPING_WITHIN_A_BATCH, seconds=STOP_TIMEOUT)

    def _subscribe(self, topic: str) -> WaitingEvents:
        """
        Return the events that wait, to which an agent adds with the topic's events.

        The agent does nothing else: Faust would log an exception that leaves it, and skip the
        events.
        """
        events = WaitingEvents(self._batch_size)
        raw = self._app.topic(
            topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )

        async def agent(stream: Any) -> None:
            # Not take(): that acknowledges events that were not handled, too. Nor noack_take(),
            # which lets an event wait for the next of its regular looks.
            async for event in stream.noack().events():
                await events.add(event)

        self._app.agent(raw, name=f"enricher.{topic}", concurrency=1)(agent)
        return events

    async def _next_batch(self, events: WaitingEvents) -> list[Any]:
        """Return the next events: a few at once, a backlog together with what follows closely."""
        batch = await events.take(self._batch_size)
        if len(batch) > BACKLOG:
            with suppress(TimeoutError):
                async with asyncio.timeout(BACKLOG_SECONDS):
                    while len(batch) < self._batch_size:
                        batch.extend(await events.take(self._batch_size - len(batch)))
        return batch

    async def _work(self, events: WaitingEvents, handle: Handle) -> None:
        """Handle and acknowledge batches, one after the other."""
        while True:
            batch = await self._next_batch(events)
            self._waiting += 1
            async with self._batch_lock:
                self._waiting -= 1
                began = time.monotonic()
                self._loop.turn()
                await handle_and_ack(batch, handle, self._app.budget)
                self._loop.rest()
            topic = batch[0].message.topic
            metrics.BATCH_RECORDS.labels(topic).observe(len(batch))
            metrics.BATCH_SECONDS.labels(topic).observe(time.monotonic() - began)


def _crash_reason(reason: BaseException) -> BaseException:
    """Return why Faust stopped: with instructions, where an operator has to act."""
    if isinstance(reason, OffsetOutOfRangeError | NoOffsetForPartitionError):
        return OffsetsLost(f"{reason}. {WHAT_TO_DO}")
    return reason


async def handle_and_ack(events: Sequence[Any], handle: Handle, budget: ByteBudget) -> None:
    """
    Handle *events* of one topic, and acknowledge them once they are handled completely.

    In portions: decoded, an event takes about ten times its size in bytes.
    """
    left = iter(events)
    for records in split_by_size([from_faust(event.message) for event in events], PORTION_BYTES):
        await handle(records)
        for event in islice(left, len(records)):
            event.ack()
            budget.give_back(_size(event.message))


def _size(message: Any) -> int:
    """Return the bytes that *message* is counted with; headers cost more than their bytes."""
    headers = message.headers or ()
    return len(message.key or b"") + len(message.value or b"") + HEADER_BYTES * len(headers)
