"""Accepting an order: authentication, rate, validation, the look for a 409, Kafka's `acks=all`."""

from __future__ import annotations

import json
import ssl
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
    tls: ssl.SSLContext | None = None

    def measure(self) -> Round:
        bodies = (json.dumps(body).encode() for body in orders(self.count))
        requests = [request("POST", self.url, body, **self.headers) for body in bodies]
        self.meter.start()
        load = send_all(self.url, requests, clients=CLIENTS, status=202, tls=self.tls)
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
        found = [endpoint(environment)]
        if environment.peers:
            create_topic(environment, "peer.accept")
            for name, app in PEERS.items():
                process, url = stack.enter_context(http_peer(environment, app))
                meter, count = environment.meter(process), environment.scaled(COUNT)
                found.append(Endpoint(name, f"{url}/orders", {}, meter, count))
        yield [it.contender() for it in found]


def endpoint(environment: Environment, name: str = OURS) -> Endpoint:
    """Return the gateway of a stack, secure or not."""
    ca_file = environment.stack.ca_file
    gateway = environment.processes["gateway"]
    headers = {"apikey": environment.stack.apikey}
    url = f"{environment.stack.gateway}/api/v3/orders"
    meter = environment.meter(gateway)
    tls = ssl.create_default_context(cafile=ca_file) if ca_file else None
    return Endpoint(name, url, headers, meter, environment.scaled(COUNT), tls)


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
