"""Tells what became of a delivery: on Kafka, on its job, and, if it failed, in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

from pymongo import AsyncMongoClient, UpdateOne

from action_trigger import metrics
from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.domain.delivery import EndedDelivery
from order_contracts.cloudevents import Envelope
from order_contracts.events import ActionDelivered, ActionFailed
from order_contracts.identity import derived, event_id
from order_contracts.integration_log import log_entry
from order_contracts.topics import DELIVERIES, TRIGGER
from order_runtime.documents import job_updates
from order_runtime.documents.deliveries import DELIVERED, FAILED
from order_runtime.documents.integration_log import log_document
from order_runtime.kafka.dead_letters import dead_letter
from order_runtime.kafka.records import Outgoing
from order_runtime.mongo.client import INTEGRATION_LOG, JOBS, Document
from order_runtime.process.retry import retry_transient

LIMIT: Final = 512  # deliveries told of at a time
SWEEP: Final = 30.0  # seconds between two looks for what a crash left untold


class RecordPublisher(Protocol):
    """Where records go; returns when the broker has all of them."""

    async def publish(self, record: Outgoing) -> None: ...
    async def publish_all(self, records: Sequence[Outgoing]) -> None: ...


def outcome_event(settled: EndedDelivery) -> Outgoing | None:
    """
    Return ActionDelivered or ActionFailed, None where there is nothing to say.

    A repeat has the same id, the outcome of a replay another one.
    """
    if settled.state not in {DELIVERED, FAILED}:
        return None
    data = _failed(settled) if settled.state == FAILED else _delivered(settled)
    envelope = Envelope(
        id=_event_id(settled, data.TYPE),
        source=f"/{TRIGGER}",
        type=data.TYPE,
        time=settled.at,
        subject=settled.order_id,
        traceparent=settled.traceparent,
    )
    key = settled.order_id.encode()
    return Outgoing(DELIVERIES.name, key, data.to_json(), envelope.headers())


def _event_id(settled: EndedDelivery, event_type: str) -> str:
    if not settled.round:
        return event_id(settled.job_id, event_type)
    return derived("event", settled.job_id, event_type, settled.round)


def _delivered(settled: EndedDelivery) -> ActionDelivered:
    return ActionDelivered(
        action_id=settled.id,
        job_id=settled.job_id,
        order_id=settled.order_id,
        action=settled.action,
        attempts=settled.attempts,
        status_code=settled.status or 0,
    )


def _failed(settled: EndedDelivery) -> ActionFailed:
    return ActionFailed(
        action_id=settled.id,
        job_id=settled.job_id,
        order_id=settled.order_id,
        action=settled.action,
        attempts=settled.attempts,
        status_code=settled.status,
        reason=settled.reason or "",
    )


class OutcomePublisher:
    """
    Works from what is marked as untold, not from memory: a crash between any two steps converges,
    because every step repeats itself under the same ids and the mark comes last.
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
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._woken.clear()
            if await self.tell() == LIMIT:
                continue
            try:
                async with asyncio.timeout(SWEEP):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def tell(self) -> int:
        """
        Announce what is untold in our partitions; return how many there were, up to LIMIT.

        A delivery that was replayed or dropped is told to its job alone.
        """
        partitions = self._partitions()
        if not partitions:
            return 0
        settled = await retry_transient(lambda: self._deliveries.unannounced(partitions, LIMIT))
        if not settled:
            return 0
        await asyncio.gather(
            self._publisher.publish_all(
                [told for item in settled if (told := outcome_event(item))]
            ),
            self._bury([item for item in settled if item.state == FAILED]),
            retry_transient(lambda: self._record(settled)),
        )
        await retry_transient(lambda: self._deliveries.announced(settled))
        for item in settled:
            metrics.ANNOUNCED.labels(item.state).inc()
        return len(settled)

    async def _bury(self, failed: Sequence[EndedDelivery]) -> None:
        """Publish the records that the actions came in; one at a time, for they may be large."""
        for item in failed:
            original = await retry_transient(lambda item=item: self._deliveries.original(item.id))  # type: ignore[misc]
            if original is not None:
                why = item.reason or ""
                letter = dead_letter(original, service=TRIGGER, code="ActionFailed", reason=why)
                await self._publisher.publish(letter)

    async def _record(self, settled: Sequence[EndedDelivery]) -> None:
        jobs = [
            UpdateOne(*job_updates.set_delivery(item.job_id, item.state, item.at))
            for item in settled
        ]
        await self._database[JOBS].bulk_write(jobs, ordered=False)
        entries = [_entry(item) for item in settled if item.state == FAILED]
        entries += [_resolved(item) for item in settled if item.state == DELIVERED and item.round]
        if entries:
            await self._database[INTEGRATION_LOG].bulk_write(entries, ordered=False)


def _entry(settled: EndedDelivery) -> UpdateOne:
    """Enter the failure; open again where a replay had resolved it, but not a later one."""
    document = _logged(settled)
    resolved_since = {"$gt": ["$resolvedAt", settled.at]}  # nothing is, where there is no field
    kept = {"$cond": [resolved_since, "$$ROOT", {"$literal": document}]}
    return UpdateOne({"_id": document["_id"]}, [{"$replaceWith": kept}], upsert=True)


def _resolved(settled: EndedDelivery) -> UpdateOne:
    return UpdateOne({"_id": _logged(settled)["_id"]}, {"$set": {"resolvedAt": settled.at}})


def _logged(settled: EndedDelivery) -> Document:
    entry = log_entry(
        "ActionFailed",
        job_id=settled.job_id,
        order_id=settled.order_id,
        at=settled.at,
        reference=str(settled.action),
    )
    return log_document(entry)
