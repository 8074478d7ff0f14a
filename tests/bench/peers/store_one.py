"""The usual way to store: one record at a time, a look-up, an insert, a commit."""

from __future__ import annotations

import json
import os
from typing import Any

from confluent_kafka import Consumer
from pymongo import MongoClient


def main() -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["BENCH_KAFKA"],
            "group.id": os.environ["BENCH_TOPIC"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([os.environ["BENCH_TOPIC"]])
    client = MongoClient[dict[str, Any]](os.environ["BENCH_MONGO"], w="majority", journal=True)
    orders = client["peer"][os.environ["BENCH_TOPIC"]]
    while True:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        order = json.loads(message.value() or b"{}")
        if orders.find_one({"_id": order["orderId"]}) is None:
            orders.insert_one({"_id": order["orderId"], **order})
        consumer.commit(message, asynchronous=False)


if __name__ == "__main__":
    main()
