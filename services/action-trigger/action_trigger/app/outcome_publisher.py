"""Announces deliveries that ended: on Kafka, in their jobs, in the integration log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final, Protocol

from pymongo import AsyncMongoClient, UpdateOne

from action_trigger import metrics
from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.adapters.failure_log import log_outcomes
from action_trigger.domain.delivery import EndedDelivery
from action_trigger.domain.events import outcome_event
from order_contracts.topics import TRIGGER
from order_runtime.documents import job_updates
from order_runtime.documents.deliveries import FAILED
from order_runtime.kafka.dead_letters import dead_letter
from order_runtime.kafka.records import Outgoing
from order_runtime.mongo.client import JOBS, Document
from order_runtime.process.log_events import NO_FURTHER_DEAD_LETTER
from order_runtime.process.logs import log
from order_runtime.process.retry import retry_transient

BATCH_SIZE: Final = 512  # deliveries announced at a time
POLL_SECONDS: Final = 30.0  # between two polls for what a crashed worker left unannounced


class RecordPublisher(Protocol):
    """Publishes records; returns once the broker has acknowledged all of them."""

    async def publish(self, record: Outgoing) -> None: ...
    async def publish_all(self, records: Sequence[Outgoing]) -> None: ...


class OutcomePublisher:
    """
    Announces what is marked as unannounced in the database, so that a crash loses nothing.

    Every step is idempotent, and the mark is removed last: after a crash between any two steps,
    the next worker repeats them all.
    """

    def __init__(
        self,
        client: AsyncMongoClient[Document],
        database: str,
        deliveries: DeliveryStore,
        publisher: RecordPublisher,
        partitions: Callable[[], Collection[int]],
    ) -> None:
        self._database = client.get_database(database)
        self._deliveries = deliveries
        self._publisher = publisher
        self._partitions = partitions
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Announce now: a delivery ended."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Announce until *stop*, whenever woken and every POLL_SECONDS."""
        while not stop.is_set():
            self._woken.clear()
            if await self.announce_batch() == BATCH_SIZE:
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()

    async def announce_batch(self) -> int:
        """Announce one batch of the partitions whose leases we hold; return its size."""
        partitions = self._partitions()
        if not partitions:
            return 0
        ended = await retry_transient(lambda: self._deliveries.unannounced(partitions, BATCH_SIZE))
        if not ended:
            return 0
        await asyncio.gather(
            self._publish_events(ended),
            self._publish_dead_letters(ended),
            retry_transient(lambda: self._update_documents(ended)),
        )
        await retry_transient(lambda: self._deliveries.announced(ended))
        for item in ended:
            metrics.ANNOUNCED.labels(item.state).inc()
        return len(ended)

    async def _publish_events(self, ended: Sequence[EndedDelivery]) -> None:
        events = [outcome_event(item) for item in ended]
        await self._publisher.publish_all([event for event in events if event is not None])

    async def _publish_dead_letters(self, ended: Sequence[EndedDelivery]) -> None:
        """Publish the records of the failed actions one at a time, because they may be large."""
        for item in ended:
            if item.state == FAILED:
                await self._publish_dead_letter(item)

    async def _publish_dead_letter(self, failed: EndedDelivery) -> None:
        record = await retry_transient(lambda: self._deliveries.original(failed.id))
        if record is None:
            return
        why = failed.reason or ""
        letter = dead_letter(record, service=TRIGGER, code="ActionFailed", reason=why)
        if letter is None:
            log().warning(NO_FURTHER_DEAD_LETTER, partition=record.partition, offset=record.offset)
        else:
            await self._publisher.publish(letter)

    async def _update_documents(self, ended: Sequence[EndedDelivery]) -> None:
        jobs = [
            UpdateOne(*job_updates.set_delivery(item.job_id, item.state, item.at)) for item in ended
        ]
        await self._database[JOBS].bulk_write(jobs, ordered=False)
        await log_outcomes(self._database, ended)
