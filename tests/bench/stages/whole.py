"""
The whole: from the POST of an order until its webhook was received.

At most WINDOW orders are under way at any time, so that no lag grows: what passes is the rate that
the system can sustain.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import uvloop

from bench.contender import OURS, Contender, Stage
from bench.cpu import CpuMeter
from bench.environment import SERVICES, Environment
from bench.load.http_connection import HttpConnection, request
from bench.load.orders import confirmed_orders
from bench.load.webhook_sink import WebhookSink
from bench.measurements import RATE, Round, per_item
from bench.stages.webhooks import sink_of

COUNT: Final = 4_000
WINDOW: Final = 1_000
CLIENTS: Final = 16
END_SECONDS: Final = 300.0
POLL_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True)
class Whole:
    """Posts orders, and waits for their webhooks."""

    url: str
    apikey: str
    sink: WebhookSink
    meter: CpuMeter
    count: int

    def measure(self) -> Round:
        bodies = (json.dumps(body).encode() for body in confirmed_orders(self.count))
        requests = [request("POST", self.url, body, apikey=self.apikey) for body in bodies]
        self.meter.start()
        began = time.monotonic()
        uvloop.run(self._deliver(requests))
        seconds = time.monotonic() - began
        return Round(OURS, {RATE: self.count / seconds, **per_item(self.meter.spent(), self.count)})

    async def _deliver(self, requests: Sequence[bytes]) -> None:
        room, left = asyncio.Semaphore(WINDOW), iter(requests)
        wanted = self.sink.received + len(requests)
        async with asyncio.timeout(END_SECONDS), asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._post(left, room))
            group.create_task(self._make_room(room, wanted))

    async def _post(self, requests: Iterator[bytes], room: asyncio.Semaphore) -> None:
        connection = await HttpConnection.to(self.url)
        for one in requests:
            await room.acquire()
            response = await connection.send(one)
            assert response.status == 202, response
        connection.close()

    async def _make_room(self, room: asyncio.Semaphore, wanted: int) -> None:
        """Let another order in for each webhook, until all were received."""
        seen = self.sink.received
        while seen < wanted:
            await asyncio.sleep(POLL_SECONDS)
            now = self.sink.received
            for _ in range(now - seen):
                room.release()
            seen = now


@contextmanager
def contenders(environment: Environment) -> Iterator[Sequence[Contender]]:
    with sink_of(environment) as sink:
        url = f"{environment.stack.gateway}/api/v3/orders"
        meter = environment.meter(*(environment.processes[it] for it in SERVICES))
        count = environment.scaled(COUNT)
        whole = Whole(url, environment.stack.apikey, sink, meter, count)
        whole.measure()
        meter.measure_idle()
        yield [Contender(OURS, whole.measure)]


STAGE: Final = Stage(
    "whole",
    "POST /orders until the webhook is received, no lag growing",
    SERVICES,
    contenders,
)
