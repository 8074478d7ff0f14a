"""Announces deliveries that ended: on Kafka and in the integration log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol

from pymongo import AsyncMongoClient

from action_trigger import metrics
from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.adapters.failure_log import log_outcomes
from action_trigger.domain.delivery import EndedDelivery
from action_trigger.domain.events import outcome_event
from order_contracts.topics import ACTIONS, TRIGGER
from order_runtime.documents.dead_letters import LetterFacts, letter_document, settled_jobs
from order_runtime.documents.deliveries import DELIVERED, FAILED
from order_runtime.kafka.dead_letters import dead_letter
from order_runtime.kafka.records import Outgoing
from order_runtime.mongo.client import Document
from order_runtime.mongo.dead_letter_writes import record_letters
from order_runtime.observability.metrics import DEAD_LETTERS
from order_runtime.process.log_events import NO_FURTHER_DEAD_LETTER
from order_runtime.process.logs import log, trace_fields
from order_runtime.process.retry import retry_transient

BATCH_SIZE: Final = 512  # deliveries announced at a time
ACTION_FAILED: Final = "ActionFailed"
POLL_SECONDS: Final = 30.0  # between two polls for what a crashed worker left unannounced


class RecordPublisher(Protocol):
    """Publishes records; returns once the broker has acknowledged all of them."""

    async def publish(self, record: Outgoing) -> None: ...
    async def publish_all(self, records: Sequence[Outgoing]) -> None: ...


class OutcomePublisher:
    """
    Announces what is marked as unannounced in the database, so that a crash loses nothing.

    Every step is idempotent, and the mark is removed last: after a crash between any two steps,
    the next worker repeats them all. Their jobs need no word of it: they are read together.
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
        count = 0
        while not stopped() and (partitions := self._partitions()):
            ended = await retry_transient(
                partial(self._deliveries.unannounced, partitions, BATCH_SIZE)
            )
            await self._announce_batch(ended)
            count += len(ended)
            if len(ended) < BATCH_SIZE:
                break
        return count

    async def _announce_batch(self, ended: Sequence[EndedDelivery]) -> None:
        if not ended:
            return
        await asyncio.gather(
            self._publish_events(ended),
            self._publish_dead_letters(ended),
            retry_transient(lambda: log_outcomes(self._database, ended)),
        )
        await retry_transient(lambda: self._deliveries.announced(ended))
        for item in ended:
            metrics.ANNOUNCED.labels(item.state).inc()

    async def _publish_events(self, ended: Sequence[EndedDelivery]) -> None:
        events = [outcome_event(item) for item in ended]
        await self._publisher.publish_all([event for event in events if event is not None])

    async def _publish_dead_letters(self, ended: Sequence[EndedDelivery]) -> None:
        """
        Publish the records of the failed actions, and then record the letters' documents.

        One record at a time, because they may be large. Letters of what a replay delivered are
        settled.
        """
        failed = [it for it in ended if it.state == FAILED]
        letters = [await self._publish_dead_letter(it) for it in failed]
        documents = [it for it in letters if it is not None]
        delivered = [it.job_id for it in ended if it.state == DELIVERED and it.round]
        settled = [settled_jobs(ACTIONS.name, delivered)] if delivered else []
        await retry_transient(lambda: record_letters(self._database, documents, *settled))

    async def _publish_dead_letter(self, failed: EndedDelivery) -> Document | None:
        """Publish the letter of a failed action, if its record is kept; return its document."""
        record = await retry_transient(lambda: self._deliveries.original(failed.id))
        if record is None:
            return None
        why = failed.reason or ""
        letter = dead_letter(record, service=TRIGGER, code=ACTION_FAILED, reason=why)
        if letter is None:
            where = {"partition": record.partition, "offset": record.offset}
            log().warning(NO_FURTHER_DEAD_LETTER, **where, **trace_fields(failed.traceparent))
            return None
        await self._publisher.publish(letter)
        DEAD_LETTERS.labels(record.topic, ACTION_FAILED).inc()
        facts = LetterFacts(
            TRIGGER, ACTION_FAILED, failed.order_id, failed.job_id, failed_at=failed.at
        )
        return letter_document(record, letter, facts, datetime.now(UTC))
