"""Faults that publishers and operators make: repeats, wrong clocks, poison, sizes, replays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from support.builders.bodies import Json, line, order_body
from support.faults.cluster import FaultCluster
from support.faults.fault import Fault
from support.faults.rewinding import rewound
from support.load.publishing import Publishing
from support.load.shop import Shop
from support.stack.topics import Raw, register

BACKLOG = 300
FILE = 300
POISONED = 300
EVERY = 10
LARGE = 1_000
LINES = 100  # of about 5 KB each


def backlog(scene: FaultCluster) -> None:
    """Publish more at once than is settled in a moment."""
    shop = Shop(Random(scene.rng.random()), scene.mix.order_ids, scene.mix.contacts)
    publish(scene, (shop.wish() for _ in range(BACKLOG)))


@contextmanager
def file_twice(scene: FaultCluster) -> Iterator[None]:
    """Two systems publish the same orders under the same ids, at once."""
    file = [register(order_body(contact=scene.mix.contacts[0])) for _ in range(FILE)]
    with ThreadPoolExecutor(2) as both:
        for done in [both.submit(publish, scene, file) for _ in range(2)]:
            done.result()
    yield


@contextmanager
def skewed(scene: FaultCluster) -> Iterator[None]:
    """Publishers whose clock is an hour late, or early."""
    for hours in (-1, 1):
        at = datetime.now(UTC) + timedelta(hours=hours)
        told = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        orders = [order_body(contact=scene.mix.contacts[0], lastChangedAt=told) for _ in range(50)]
        publish(scene, [register(it, ce_time=told) for it in orders], at=at)
    yield


@contextmanager
def poisoned(scene: FaultCluster) -> Iterator[None]:
    """Among good commands, again and again one that is none."""
    publish(scene, (_poison(n, register(order_body())) for n in range(POISONED)))
    yield


def _poison(number: int, good: Raw) -> Raw:
    values = [b"{not json", None, b"\xff\xfe", b"[]", b"\x00" * 1_000]
    bad = replace(good, value=values[number // EVERY % len(values)])
    return bad if number % EVERY == EVERY // 2 else good


@contextmanager
def large(scene: FaultCluster) -> Iterator[None]:
    """A thousand commands of 500 KB."""
    publish(scene, (register(_large()) for _ in range(LARGE)))
    yield


def _large() -> Json:
    order = order_body(lines=[_long() for _ in range(LINES)])
    assert 450_000 < len(json.dumps(order)) < 524_288
    return order


def _long() -> Json:
    url = "https://example.com/" + "u" * 2_000
    return line(description="d" * 950, imageUrl=url, targetUrl=url)


def publish(scene: FaultCluster, records: Iterable[Raw], at: datetime | None = None) -> None:
    """Publish, and wait for what Kafka says to it."""
    publishing = Publishing(scene.stack.kafka, scene.journal)
    for record in records:
        publishing.send(record, at=at)
    publishing.flush()


OF_RECORDS = (
    Fault("the same file, twice at once", file_twice),
    Fault("publishers an hour off", skewed),
    Fault("poison in each batch", poisoned),
    Fault("1,000 commands of 500 KB", large, once=True),
    # Everything that was ever said is read again, so it takes the longer the longer a run is.
    Fault("all groups reset to offset 0", rewound, recovery=900),
)
