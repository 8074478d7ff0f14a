"""Compose the enricher and run it until it is asked to stop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from pymongo.asynchronous.database import AsyncDatabase

from enricher import metrics
from enricher.adapters import consumer_lag, held_actions, links, reference_store, unfinished_jobs
from enricher.adapters.kafka_consumer import Handle, StreamConsumer
from enricher.app.contact_erasure import ContactErasure
from enricher.app.event_handler import EnrichmentPolicy, EventHandler
from enricher.app.reconciler import Reconciler
from enricher.app.reference_handler import ReferenceHandler
from enricher.app.sweeper import Sweeper
from enricher.domain.contact_matching import ContactKeys
from enricher.settings import Settings
from order_contracts.topics import ARTICLES, CONTACTS, ENRICHER, EVENTS, STORES
from order_runtime.kafka.publisher import Publisher
from order_runtime.kafka.records import Record
from order_runtime.mongo import erasure_store
from order_runtime.mongo.client import CODEC, ERASURES, HELD, JOBS, LINKS, Document, async_client
from order_runtime.process import health, logs
from order_runtime.process.errors import UnrecoverableError
from order_runtime.process.retry import retry_transient
from order_runtime.process.settings import load
from order_runtime.process.signals import async_stop_event, unless_stopped
from order_runtime.startup.preflight import preflight
from order_runtime.startup.requirements import ObservedTopic

READ: Final = (EVENTS, CONTACTS, ARTICLES, STORES)
CRASHED: Final = 70  # exit status


async def run(settings: Settings) -> None:
    # A batch is thousands of objects that live as long as it does: collecting among them again
    # and again, as the default does, costs a third of the time.
    gc.set_threshold(50_000, 20, 50)
    stop = async_stop_event()
    async with (
        async_client(settings.mongo, ENRICHER) as client,
        Publisher(settings.kafka, settings.instance, linger_ms=2) as publisher,
    ):
        database = client.get_database(settings.database, codec_options=CODEC)
        keys = ContactKeys(settings.erasure_secret.encode(), settings.phone_region or None)
        tend = Reconciler(database, publisher, keys)
        erase = ContactErasure(database, publisher, keys)
        enrich = EventHandler(
            database, publisher, tend, erase, EnrichmentPolicy(settings.hold_for, keys)
        )
        sweep = Sweeper(database, enrich, tend, partial(caught_up, settings.kafka))
        intakes = list[StreamConsumer]()
        with health.serving(
            settings.health_host,
            settings.health_port,
            ready=lambda: any(it.ready() for it in intakes),
        ):
            topics = await unless_stopped(stop, prepared(database, settings, keys))
            if topics is not None:
                ids = {name: topic.id for name, topic in topics.items()}
                reference_handler = ReferenceHandler(database, tend, erase, keys, ids)
                intakes.append(StreamConsumer(settings, handlers(enrich, reference_handler)))
                async with sweep.beside(stop):
                    await intakes[0].run(stop)
    logs.log().info("stopped")


def handlers(enrich: EventHandler, reference_handler: ReferenceHandler) -> dict[str, Handle]:
    """Return what is done with the records of each topic, as long as the database takes it."""

    async def events(records: Sequence[Record]) -> None:
        await retry_transient(lambda: enrich(records, datetime.now(UTC)), metrics.RETRIES.inc)

    async def reference(records: Sequence[Record]) -> None:
        await retry_transient(
            lambda: reference_handler(records, datetime.now(UTC)), metrics.RETRIES.inc
        )

    return {EVENTS.name: events, **dict.fromkeys(reference_store.REFERENCE_KINDS, reference)}


async def prepared(
    database: AsyncDatabase[Document], settings: Settings, keys: ContactKeys
) -> Mapping[str, ObservedTopic]:
    """
    Return Kafka's topics when it and MongoDB are there, and are what we rely on.

    Raises CannotGoOn where they are not.
    """
    topics = await preflight(settings.kafka, settings.mongo, ENRICHER)
    await retry_transient(lambda: ensure_indexes(database), metrics.RETRIES.inc)
    await retry_transient(
        lambda: erasure_store.require_same_secret(database[ERASURES], keys.secret)
    )
    return topics


async def caught_up(kafka: str, since: datetime) -> bool:
    return await asyncio.to_thread(consumer_lag.caught_up, kafka, READ, since)


async def ensure_indexes(database: AsyncDatabase[Document]) -> None:
    await reference_store.ensure_indexes(database)
    await links.ensure_indexes(database[LINKS])
    await held_actions.ensure_indexes(database[HELD])
    await erasure_store.ensure_indexes(database[ERASURES])
    await unfinished_jobs.ensure_indexes(database[JOBS])


if __name__ == "__main__":
    chosen = load(Settings)
    logs.configure(ENRICHER, chosen.instance, chosen.log_level)
    try:
        asyncio.run(run(chosen))
    except UnrecoverableError as reason:
        logs.log().critical(str(reason))
        raise SystemExit(1) from None
    except Exception as error:  # noqa: BLE001  the process ends; its records are read again
        logs.log().error("crashed", **logs.error_fields(error))
        raise SystemExit(CRASHED) from None
