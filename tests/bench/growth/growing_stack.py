"""What one more item costs once much is stored: CPU at the start and at the end of a growth."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import psutil
from pymongo import MongoClient
from pymongo.database import Database

from bench.cpu import cpu_seconds
from bench.load.orders import RecordLoad
from support.builders.bodies import Json
from support.builders.raw_records import COMMANDS_TOPIC, RawRecord
from support.history.quiescence import healing, lagging_group
from support.stack.running_stack import RunningStack
from support.stack.wait import until

SECONDS: Final = 1_800.0
IDLE_SECONDS: Final = 5.0
SKU: Final = "mug"


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
        self._load = RecordLoad(stack.kafka)
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
        self._load.send(sent, topic)
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
        return cpu_seconds(self._processes)

    def _idle_rate(self) -> float:
        cpu = self._cpu()
        time.sleep(IDLE_SECONDS)  # a rate: there is nothing to wait for
        return (self._cpu() - cpu) / IDLE_SECONDS
