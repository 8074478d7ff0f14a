"""Announces deliveries that ended: on Kafka, in their jobs, in the integration log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
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
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RecordPublisher(Protocol):
    """Publishes records; returns once the broker has acknowledged all of them."""

    async def publish(self, record: Outgoing) -> None: ...
    async def publish_all(self, records: Sequence[Outgoing]) -> None: ...


class OutcomePublisher:
    """
    Announces what is marked as unannounced in the database, so that a crash loses nothing.

    Every step is idempotent, and the mark is removed last: after a crash between any two steps,
    the next worker repeats them all. What has no job yet is passed over until it has.
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
            await self.announce(stop.is_set)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()

    async def announce(self, stopped: Callable[[], bool] = lambda: False) -> int:
        """Announce what ended in the partitions whose leases we hold; return how many did."""
        count, after = 0, EPOCH
        while not stopped() and (partitions := self._partitions()):
            ended = await retry_transient(
                partial(self._deliveries.unannounced, partitions, BATCH_SIZE, after)
            )
            waiting = await self._announce_batch(ended)
            count += len(ended) - len(waiting)
            if len(ended) < BATCH_SIZE:
                break
            # Those that wait stay the oldest of all, and must not fill each page.
            after = max((item.at for item in waiting), default=after)
        return count

    async def _announce_batch(self, ended: Sequence[EndedDelivery]) -> list[EndedDelivery]:
        """Announce these, but for those whose job isn't there and may still come: return them."""
        if not ended:
            return []
        missing = await retry_transient(lambda: self._update_jobs(ended))
        now = datetime.now(UTC)
        waiting = [it for it in ended if it.job_id in missing and it.awaits_job(now)]
        waiting_ids = {it.id for it in waiting}
        told = [it for it in ended if it.id not in waiting_ids]
        await asyncio.gather(
            self._publish_events(told),
            self._publish_dead_letters(told),
            retry_transient(lambda: log_outcomes(self._database, told)),
        )
        await retry_transient(lambda: self._deliveries.announced(told))
        for item in told:
            metrics.ANNOUNCED.labels(item.state).inc()
        return waiting

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

    async def _update_jobs(self, ended: Sequence[EndedDelivery]) -> set[str]:
        """Tell the jobs what became of their actions; return the ids of those not there."""
        updates = [
            UpdateOne(*job_updates.set_delivery(item.job_id, item.state, item.at)) for item in ended
        ]
        jobs = self._database[JOBS]
        done = await jobs.bulk_write(updates, ordered=False)
        if done.matched_count == len(updates):
            return set()
        asked = {item.job_id for item in ended}
        return asked - {it["_id"] async for it in jobs.find({"_id": {"$in": list(asked)}}, ["_id"])}
