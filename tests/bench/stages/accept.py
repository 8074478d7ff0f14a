"""Accepting an order: authentication, rate, validation, the look for a 409, Kafka's `acks=all`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from bench.contender import OURS, Contender, Stage
from bench.cpu import CpuMeter
from bench.environment import Environment
from bench.load.http_connection import request
from bench.load.http_load import send_all
from bench.load.orders import orders
from bench.measurements import P50, P99, RATE, Round, per_item, percentile
from bench.peers.process import http_peer
from bench.peers.topics import create_topic

COUNT: Final = 8_000
CLIENTS: Final = 32


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Measures an HTTP endpoint that takes orders."""

    name: str
    url: str
    headers: dict[str, str]
    meter: CpuMeter
    count: int

    def measure(self) -> Round:
        bodies = (json.dumps(body).encode() for body in orders(self.count))
        requests = [request("POST", self.url, body, **self.headers) for body in bodies]
        self.meter.start()
        load = send_all(self.url, requests, clients=CLIENTS, status=202)
        figures = {
            RATE: self.count / load.seconds,
            P50: percentile(load.latencies, 0.5) * 1e3,
            P99: percentile(load.latencies, 0.99) * 1e3,
        }
        return Round(self.name, {**figures, **per_item(self.meter.spent(), self.count)})

    def contender(self) -> Contender:
        """Return it as a contender, once it is warm and its idle CPU is known."""
        self.measure()
        self.meter.measure_idle()
        return Contender(self.name, self.measure)


@contextmanager
def contenders(environment: Environment) -> Iterator[Sequence[Contender]]:
    with ExitStack() as stack:
        found = [_ours(environment)]
        if environment.peers:
            create_topic(environment, "peer.accept")
            for name, app in PEERS.items():
                process, url = stack.enter_context(http_peer(environment, app))
                meter, count = environment.meter(process), environment.scaled(COUNT)
                found.append(Endpoint(name, f"{url}/orders", {}, meter, count))
        yield [endpoint.contender() for endpoint in found]


def _ours(environment: Environment) -> Endpoint:
    gateway = environment.processes["gateway"]
    headers = {"apikey": environment.stack.apikey}
    url = f"{environment.stack.gateway}/api/v3/orders"
    meter = environment.meter(gateway)
    return Endpoint(OURS, url, headers, meter, environment.scaled(COUNT))


PEERS: Final = {
    "usual way": "bench.peers.accept_usual:app",
    "empty endpoint": "bench.peers.accept_empty:app",
}
STAGE: Final = Stage(
    "accept",
    "POST /orders until the 202, 32 clients",
    ("gateway",),
    contenders,
)
