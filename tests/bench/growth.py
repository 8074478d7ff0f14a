"""
What one more item costs once much is stored: CPU at the start and at the end of a growth.

    PYTHONPATH=tests .venv/bin/python tests/bench/growth.py [--scale 0.1] [SCENARIO …]

It starts a stack of its own. CPU is that of the four services and of mongod, by their processes'
own counters, divided by the items of a block; what they spend while idle is taken off. Rates of a
shared machine are noise; these are not.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psutil
from confluent_kafka import Producer
from pymongo import MongoClient
from pymongo.database import Database

from support.builders.bodies import Json, line, order_body
from support.builders.raw_records import COMMANDS_TOPIC, RawRecord, register_record
from support.history.quiescence import healing, lagging_group
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until

SECONDS: Final = 1_800.0
IDLE_SECONDS: Final = 5.0
SKU: Final = "mug"
EMAIL: Final = "shared@growth.example"


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: what an item costs at the start, and at the end."""

    what: str
    unit: str
    first: float
    last: float

    def __str__(self) -> str:
        ratio = self.last / self.first if self.first else float("nan")
        return f"{self.what:58} {self.first:9.0f} {self.last:9.0f} {self.unit:6} {ratio:5.2f}x"


class Growth:
    """A stack with one article and a contact of each number, and the CPU of its processes."""

    def __init__(self, stack: RunningStack, scale: float) -> None:
        self.stack, self.scale = stack, scale
        self.mongo: MongoClient[Json] = MongoClient(stack.mongo)
        self.database: Database[Json] = self.mongo[stack.database]
        self._producer = Producer(
            {
                "bootstrap.servers": stack.kafka,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        seen = stack.status()
        names = ("gateway", "order-writer", "enricher", "action-trigger", "mongod")
        self._processes = [
            psutil.Process(part["pid"])
            for part in (*seen["services"], *seen["parts"])
            if part["name"].startswith(names) and part["pid"]
        ]
        self._idle = 0.0
        self.refer("articles", SKU, {"sku": SKU})
        self.settle()
        self._idle = self._idle_rate()

    def scaled(self, count: int) -> int:
        return max(10, int(count * self.scale))

    def send(self, records: Iterable[RawRecord], topic: str = COMMANDS_TOPIC) -> int:
        sent = list(records)
        for it in sent:
            headers = [(name, str(value).encode()) for name, value in it.pairs]
            self._producer.produce(topic, key=it.key, value=it.value, headers=headers)
            self._producer.poll(0)
        self._producer.flush()
        return len(sent)

    def refer(self, kind: str, key: str, body: Json) -> None:
        self.send([RawRecord(key, json.dumps(body).encode(), {})], f"reference.{kind}")

    def settle(self) -> None:
        until(
            lambda: not (lagging_group(self.stack) or healing(self.stack)),
            seconds=SECONDS,
            of="all read and healed",
        )

    def cost(self, records: Sequence[RawRecord], topic: str = COMMANDS_TOPIC) -> float:
        """Publish records and wait until they are handled; return µs of CPU for each."""
        cpu, began = self._cpu(), time.monotonic()
        count = self.send(records, topic)
        self.settle()
        spent = self._cpu() - cpu - self._idle * (time.monotonic() - began)
        return spent / count * 1e6

    def ends(self, count: int, make: Callable[[int], RawRecord], topic: str) -> tuple[float, float]:
        """Publish *count* records in ten blocks; return what the first and the last cost."""
        block = count // 10
        costs = [
            self.cost([make(at) for at in range(part * block, (part + 1) * block)], topic)
            for part in range(10)
        ]
        return costs[0], costs[-1]

    def _cpu(self) -> float:
        times = [it.cpu_times() for it in self._processes]
        return sum(it.user + it.system for it in times)

    def _idle_rate(self) -> float:
        cpu = self._cpu()
        time.sleep(IDLE_SECONDS)  # a rate: there is nothing to wait for
        return (self._cpu() - cpu) / IDLE_SECONDS


def order_of(key: str, kind: str, **deviations: Any) -> Json:
    lines = [line(sku=SKU)]
    return order_body(lines=lines, contact={"matchKey": key, "matchKeyType": kind}, **deviations)


def command(kind: str, body: Json) -> RawRecord:
    return register_record(body).with_headers({"ce_type": f"{kind}.v1"})


def contact(contact_id: str, **fields: str) -> RawRecord:
    body = {"contactId": contact_id, **fields}
    return RawRecord(contact_id, json.dumps(body).encode(), {})


def replacements_of_one_order(growth: Growth) -> Iterator[Row]:
    growth.send([contact("c-1")], "reference.contacts")
    growth.settle()
    body = order_of("c-1", "ContactId")
    growth.send([register_record(body)])
    count = growth.scaled(10_000)
    first, last = growth.ends(count, lambda _: command("ReplaceOrder", body), COMMANDS_TOPIC)
    yield Row(f"{count:,} replacements of one order: a replacement", "µs", first, last)


def orders_of_one_contact(growth: Growth) -> Iterator[Row]:
    growth.send([contact("c-2")], "reference.contacts")
    growth.settle()
    count = growth.scaled(20_000)
    first, last = growth.ends(
        count, lambda _: register_record(order_of("c-2", "ContactId")), COMMANDS_TOPIC
    )
    yield Row(f"{count:,} orders of one contact: an order", "µs", first, last)


def contacts_of_one_key(growth: Growth) -> Iterator[Row]:
    count, orders = growth.scaled(10_000), 200

    def named() -> float:
        return growth.cost([register_record(order_of(EMAIL, "Email")) for _ in range(orders)])

    def carriers(first: int, last: int) -> None:
        made = (contact(f"shared-{at}", email=EMAIL) for at in range(first, last))
        growth.send(made, "reference.contacts")
        growth.settle()

    carriers(0, count // 100)
    few = named()
    carriers(count // 100, count)
    yield Row(f"{count:,} contacts of one key: an order that names it", "µs", few, named())
    first, last = growth.ends(
        count // 10, lambda at: contact(f"again-{at}", email=EMAIL), "reference.contacts"
    )
    yield Row(f"{count:,} contacts of one key: one more contact", "µs", first, last)


def orders_waiting_for_one_store(growth: Growth) -> Iterator[Row]:
    growth.send([contact(f"w-{at}") for at in range(1_000)], "reference.contacts")
    growth.settle()
    count = growth.scaled(40_000)
    waiting = (
        register_record(order_of(f"w-{at % 1_000}", "ContactId", externalStoreId="late"))
        for at in range(count)
    )
    growth.send(waiting)
    growth.settle()
    quiet = p99(growth, 20.0, lambda: True)
    growth.refer("stores", "late", {"externalStoreId": "late"})
    until(lambda: waiting_orders(growth) < count, seconds=60, of="healing has begun")
    busy = p99(growth, 600.0, lambda: bool(waiting_orders(growth)))
    what = f"{count:,} orders wait for a store that arrives: p99 to enriched"
    yield Row(f"{what}, at 100 orders/s", "ms", quiet, busy)
    assert waiting_orders(growth) == 0


def waiting_orders(growth: Growth) -> int:
    waits = {"waitsFor": "Store:late"}
    return growth.database["links"].count_documents(waits)


def p99(growth: Growth, seconds: float, while_: Callable[[], bool]) -> float:
    """Publish 100 orders a second for so long; return the 99th percentile to enriched, in ms."""
    began, sent = time.monotonic(), 0
    since, looked = datetime.now(UTC), began
    while True:
        now = time.monotonic()
        if now - began > seconds or (now - looked > 1.0 and not while_()):
            break
        looked = now if now - looked > 1.0 else looked
        due = int((now - began) * 100) - sent
        sent += growth.send(
            register_record(order_of(f"w-{it % 1_000}", "ContactId")) for it in range(due)
        )
        time.sleep(0.01)  # the pace of the load
    growth.settle()
    found = growth.database["enrichments"].find({"acceptedAt": {"$gte": since}})
    took: list[float] = sorted(
        (it["at"] - it["acceptedAt"]) / timedelta(milliseconds=1) for it in found
    )
    assert len(took) >= sent, "every order is enriched"
    return took[int(len(took) * 0.99)]


def stored_orders(growth: Growth) -> Iterator[Row]:
    growth.send([contact("c-3")], "reference.contacts")
    growth.settle()

    def block() -> list[RawRecord]:
        return [register_record(order_of("c-3", "ContactId")) for _ in range(2_000)]

    growth.cost(block())
    copies, few, many = Copies(growth), growth.scaled(10_000), growth.scaled(1_000_000)
    copies.store(few)
    first = growth.cost(block())
    copies.store(many - few)
    yield Row(f"{few:,} and {many:,} stored orders: an order", "µs", first, growth.cost(block()))


class Copies:
    """Stores copies of an order and of all that belongs to it, straight into MongoDB."""

    NAMES: Final[Mapping[str, str]] = {
        "orders": "_id",
        "links": "_id",
        "jobs": "orderId",
        "enrichments": "orderId",
    }
    BLOCK: Final = 5_000

    def __init__(self, growth: Growth) -> None:
        self._database = growth.database
        order = growth.database["orders"].find_one({"deletedAt": {"$exists": False}})
        assert order is not None
        self._pattern = {
            name: growth.database[name].find_one({field: order["_id"]})
            for name, field in self.NAMES.items()
        }

    def store(self, count: int) -> None:
        for first in range(0, count, self.BLOCK):
            size = min(self.BLOCK, count - first)
            ids = [(f"copy-{uuid4().hex}", str(uuid4())) for _ in range(size)]
            for name, field in self.NAMES.items():
                documents = [self._copy(name, field, *it) for it in ids]
                self._database[name].insert_many(documents, ordered=False)

    def _copy(self, name: str, field: str, order_id: str, job_id: str) -> Json:
        copy: Json = dict(self._pattern[name] or {})
        if field == "orderId":
            return {**copy, "_id": job_id, "orderId": order_id}
        copy |= {"_id": order_id, "jobId": job_id}
        return copy | ({"registeredBy": job_id} if "registeredBy" in copy else {})


SCENARIOS: Final = {
    "replacements": replacements_of_one_order,
    "contact": orders_of_one_contact,
    "key": contacts_of_one_key,
    "store": orders_waiting_for_one_store,
    "stored": stored_orders,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", choices=[*SCENARIOS, []], default=[])
    parser.add_argument("--scale", type=float, default=1.0, help="of all counts")
    asked = parser.parse_args()
    print(f"{'':58} {'first':>9} {'last':>9}")
    for name in asked.scenario or SCENARIOS:
        with (
            tempfile.TemporaryDirectory() as home,
            running_stack(Path(home), seconds=300) as stack,
        ):
            for row in SCENARIOS[name](Growth(stack, asked.scale)):
                print(row, flush=True)


if __name__ == "__main__":
    main()
