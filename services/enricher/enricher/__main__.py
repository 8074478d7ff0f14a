"""The enricher as a process: composes its parts and consumes until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

import uvloop
from pymongo.asynchronous.database import AsyncDatabase

from enricher import metrics
from enricher.adapters import (
    consumer_lag,
    reference_store,
)
from enricher.adapters.healing_queue import HealingQueue
from enricher.adapters.held_gauges import held_gauges
from enricher.adapters.kafka_consumer import Handle, StreamConsumer
from enricher.app.contact_erasure import ContactErasure
from enricher.app.contact_portions import ContactPortions
from enricher.app.event_handler import EnrichmentPolicy, EventHandler
from enricher.app.healer import Healer
from enricher.app.healing_loop import HealingLoop
from enricher.app.lost_deletions import LostDeletions
from enricher.app.periodic_sweep import GRACE, Sweeper
from enricher.app.reconciler import Reconciler
from enricher.app.reference_handler import ReferenceHandler
from enricher.app.unfinished_jobs import UnfinishedJobs
from enricher.domain.contact_matching import ContactKeys
from enricher.settings import Settings
from order_contracts.topics import (
    ARTICLES,
    COMMANDS,
    CONTACTS,
    ENRICHER,
    EVENTS,
    STORES,
    WRITER,
    Topic,
)
from order_runtime.documents.consumer_offsets import GroupOffsets, Offsets
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.publisher import Publisher
from order_runtime.kafka.records import Record
from order_runtime.kafka.refusal_log import log_refusal
from order_runtime.mongo import erasure_store
from order_runtime.mongo.client import (
    CODEC,
    ERASURES,
    HEALING,
    Document,
    async_client,
)
from order_runtime.mongo.consumer_pauses import ConsumerPauses
from order_runtime.mongo.stored_offsets import StoredOffsets
from order_runtime.observability.progress import Loop, beating
from order_runtime.observability.watch import watched
from order_runtime.process.retry import retry_transient
from order_runtime.process.service_runner import Process, collect_garbage_rarely, run_service
from order_runtime.process.signals import async_stop_event, unless_stopped
from order_runtime.startup.preflight import preflight
from order_runtime.startup.stored_offsets import group_of, require_stored_offsets

READ: Final = (EVENTS, CONTACTS, ARTICLES, STORES)


def run(process: Process[Settings]) -> None:
    """Enrich orders until asked to stop; waits for Kafka and MongoDB where they are away."""
    collect_garbage_rarely()
    pauses = ConsumerPauses(ENRICHER)
    with watched(process, ENRICHER, held_gauges, pauses.refresh):
        enrich(process, pauses)


def enrich(process: Process[Settings], pauses: ConsumerPauses) -> None:
    settings = process.settings
    kafka, mongo = settings.kafka_address, settings.mongo_uri
    group = group_of(ENRICHER, preflight(settings, ENRICHER, process.stop))
    stored = require_stored_offsets(kafka, mongo, settings.database, group, process.stop)
    uvloop.run(consume(process, group, stored, pauses))


async def consume(
    process: Process[Settings], group: GroupOffsets, stored: Offsets, pauses: ConsumerPauses
) -> None:
    settings, stop = process.settings, async_stop_event(process.stop)
    batches, event_loop = Loop("batches"), Loop("event loop")
    process.probes.loops += [batches, event_loop]
    async with (
        beating(event_loop),
        async_client(settings.mongo_uri, ENRICHER) as client,
        Publisher(settings.kafka_address, settings.instance, on_error=log_refusal) as publisher,
    ):
        database = client.get_database(settings.database, codec_options=CODEC)
        keys = ContactKeys(settings.erasure_secret.encode(), settings.phone_region or None)
        reconciler = Reconciler(database, publisher, keys, process.tracing)
        erasure = ContactErasure(database, publisher, keys)
        policy = EnrichmentPolicy(settings.hold_for, keys, process.tracing)
        queue = HealingQueue(database[HEALING], settings.instance)
        events = EventHandler(database, publisher, reconciler, erasure, queue, policy)
        references = ReferenceHandler(database, queue, erasure, keys, group.topic_ids)
        healer = Healer(database, queue, reconciler, ContactPortions(database, erasure), keys)
        offsets = StoredOffsets(client, settings.database, group, stored)
        applied = partial(caught_up, settings.kafka_address, WRITER, (COMMANDS,))
        unfinished = UnfinishedJobs(database, events, applied, GRACE)
        handled = partial(caught_up, settings.kafka_address, ENRICHER, READ)
        deletions = LostDeletions(database, erasure, keys, applied)
        sweeper = Sweeper(database, reconciler, unfinished, keys, handled, deletions)
        if not await unless_stopped(stop, prepared(database, keys)):
            return
        handle = handlers(events, references, offsets)
        consumer = StreamConsumer(settings, handle, batches, pauses.holds)
        process.probes.ready = consumer.ready
        healing = HealingLoop(healer, queue)
        async with (
            sweeper.running(stop),
            healing.running(consumer, stop),
            offsets.watched(stop),
        ):
            await consumer.run(stop)


def handlers(
    events: EventHandler, references: ReferenceHandler, offsets: StoredOffsets
) -> dict[str, Handle]:
    """
    Return the handler of each topic's batches; each waits for a database that is away.

    Offsets are stored after the effects, and before Kafka is told: it is never ahead of MongoDB.
    """

    async def handle_events(records: Sequence[Record]) -> None:
        await retry_transient(lambda: events(records, datetime.now(UTC)), metrics.RETRIES.inc)
        await offsets.advance(records)

    async def handle_references(records: Sequence[Record]) -> None:
        await retry_transient(lambda: references(records, datetime.now(UTC)), metrics.RETRIES.inc)
        await offsets.advance(records)

    reference_topics = dict.fromkeys(reference_store.COLLECTIONS, handle_references)
    return {EVENTS.name: handle_events, **reference_topics}


async def prepared(database: AsyncDatabase[Document], keys: ContactKeys) -> bool:
    """Return true; raises RequirementNotMet for another erasure secret than before."""
    await retry_transient(
        lambda: erasure_store.require_same_secret(database[ERASURES], keys.secret)
    )
    return True


async def caught_up(
    kafka: KafkaAddress, group: str, topics: Sequence[Topic], since: datetime
) -> bool:
    return await asyncio.to_thread(consumer_lag.caught_up, kafka, group, topics, since)


if __name__ == "__main__":
    run_service(ENRICHER, Settings, run)
