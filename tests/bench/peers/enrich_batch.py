"""Enriching with FastStream in batches: three look-ups and one write for up to 500 events."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from faststream import FastStream
from faststream.kafka import KafkaBroker
from pymongo import AsyncMongoClient

TOPIC = os.environ["BENCH_TOPIC"]
BATCH = 500
broker = KafkaBroker(os.environ["BENCH_KAFKA"], logger=None)  # it would log each event twice
database = AsyncMongoClient[dict[str, Any]](os.environ["BENCH_MONGO"])["peer"]


@broker.subscriber(  # type: ignore[untyped-decorator]  # not installed where types are checked
    TOPIC, group_id=TOPIC, auto_offset_reset="earliest", batch=True, max_records=BATCH
)
async def enrich(events: list[dict[str, Any]]) -> None:
    orders = [event["order"] for event in events]
    contacts = await found("contacts", "email", [it["contact"]["matchKey"] for it in orders])
    articles = await found("articles", "_id", [sku for it in orders for sku in skus(it)])
    stores = await found("stores", "_id", [it["externalStoreId"] for it in orders])
    await database[TOPIC].insert_many(
        [
            {
                "orderId": event["orderId"],
                "jobId": event["jobId"],
                "contactId": contacts.get(event["order"]["contact"]["matchKey"]),
                "missing": [sku for sku in skus(event["order"]) if sku not in articles],
                "storeFound": event["order"]["externalStoreId"] in stores,
                "at": datetime.now(UTC),
            }
            for event in events
        ],
        ordered=False,
    )


def skus(order: dict[str, Any]) -> list[str]:
    return [item["sku"] for item in order["lineItems"]["items"]]


async def found(collection: str, key: str, values: Sequence[str]) -> dict[str, Any]:
    """Return the ids of what was found by its key."""
    wanted = {key: {"$in": list(set(values))}}
    return {it[key]: it["_id"] async for it in database[collection].find(wanted)}


if __name__ == "__main__":
    asyncio.run(FastStream(broker).run())
