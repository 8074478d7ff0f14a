"""How long one client waits on a system that has nothing else to do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import uvloop

from bench.contender import Contender, Stage
from bench.environment import SERVICES, Environment
from bench.load.http_connection import HttpConnection, request
from bench.load.orders import confirmed_orders, orders
from bench.load.webhook_sink import WebhookSink
from bench.measurements import P50, P99, REQUESTS, Round, percentile
from bench.stages.webhooks import sink_of
from support.builders.bodies import Json

COUNT: Final = 100
POLL_SECONDS: Final = 0.1
ARRIVAL_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Client:
    """Registers orders one by one, in several ways; each returns the number of its requests."""

    connection: HttpConnection
    url: str
    apikey: str
    sink: WebhookSink

    async def accepted(self, order: Json) -> int:
        await self._post(order, 202)
        return 1

    async def waited(self, order: Json) -> int:
        """Return once the order is stored, as the response to the POST says."""
        await self._post(order, 200, prefer="wait=10")
        return 1

    async def polled(self, order: Json) -> int:
        """Return once the order is stored, as its job says when it is asked each 100 ms."""
        job, asked = await self._post(order, 202), 1
        ask = request("GET", f"{self.url}/jobs/{job['jobId']}", apikey=self.apikey)
        while job["status"] == "Accepted":
            await asyncio.sleep(POLL_SECONDS)
            job = json.loads((await self.connection.send(ask)).body)
            asked += 1
        return asked

    async def delivered(self, order: Json) -> int:
        """Return once the order's webhook was received."""
        await self._post(order, 202)
        await asyncio.to_thread(self.sink.wait_for, order["orderId"], ARRIVAL_SECONDS)
        return 1

    async def _post(self, order: Json, status: int, **headers: str) -> Json:
        body = json.dumps(order).encode()
        sent = request("POST", self.url, body, apikey=self.apikey, **headers)
        response = await self.connection.send(sent)
        assert response.status == status, response
        found: Json = json.loads(response.body)
        return found


Way = Callable[[Client, Json], Awaitable[int]]
WAYS: Final[dict[str, tuple[Way, Callable[[int], list[Json]]]]] = {
    "POST → 202": (Client.accepted, orders),
    "POST → Completed, Prefer: wait": (Client.waited, orders),
    "POST → Completed, polling each 100 ms": (Client.polled, orders),
    "POST → webhook received": (Client.delivered, confirmed_orders),
}


@dataclass(frozen=True, slots=True)
class Latency:
    """Measures one way of waiting."""

    name: str
    environment: Environment
    sink: WebhookSink

    def measure(self) -> Round:
        return uvloop.run(self._measure())

    async def _measure(self) -> Round:
        way, make = WAYS[self.name]
        stack = self.environment.stack
        url = f"{stack.gateway}/api/v3/orders"
        client = Client(await HttpConnection.to(url), url, stack.apikey, self.sink)
        took, requests = list[float](), list[int]()
        for order in make(self.environment.scaled(COUNT)):
            began = time.perf_counter()
            requests.append(await way(client, order))
            took.append(time.perf_counter() - began)
        client.connection.close()
        figures = {
            P50: percentile(took, 0.5) * 1e3,
            P99: percentile(took, 0.99) * 1e3,
            REQUESTS: sum(requests) / len(requests),
        }
        return Round(self.name, figures)


@contextmanager
def contenders(environment: Environment) -> Iterator[Sequence[Contender]]:
    with sink_of(environment) as sink:
        found = [Latency(name, environment, sink) for name in WAYS]
        for each in found:
            each.measure()  # until all is warm
        yield [Contender(each.name, each.measure) for each in found]


STAGE: Final = Stage("latency", "one client, nothing else to do", SERVICES, contenders)
