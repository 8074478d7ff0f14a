"""The usual way to enrich with FastStream: one event at a time, three look-ups, one write."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import Any

from faststream import FastStream
from faststream.kafka import KafkaBroker
from pymongo import AsyncMongoClient

TOPIC = os.environ["BENCH_TOPIC"]
broker = KafkaBroker(os.environ["BENCH_KAFKA"], logger=None)  # it would log each event twice
database = AsyncMongoClient[dict[str, Any]](os.environ["BENCH_MONGO"])["peer"]


@broker.subscriber(  # type: ignore[untyped-decorator]  # not installed where types are checked
    TOPIC, group_id=TOPIC, auto_offset_reset="earliest"
)
async def enrich(event: dict[str, Any]) -> None:
    order = event["order"]
    skus = [item["sku"] for item in order["lineItems"]["items"]]
    contact = await database["contacts"].find_one({"email": order["contact"]["matchKey"]})
    articles = await database["articles"].find({"_id": {"$in": skus}}).to_list()
    store = await database["stores"].find_one({"_id": order["externalStoreId"]})
    await database[TOPIC].insert_one(
        {
            "orderId": event["orderId"],
            "jobId": event["jobId"],
            "contactId": contact and contact["_id"],
            "missing": sorted(set(skus) - {it["_id"] for it in articles}),
            "storeFound": store is not None,
            "at": datetime.now(UTC),
        }
    )


if __name__ == "__main__":
    asyncio.run(FastStream(broker).run())
