"""Faults of publishers and operators: repeats, skewed clocks, poison, large records, resets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from support.builders.bodies import Json, line, order_body
from support.builders.raw_records import RawRecord, register_record
from support.faults.cluster import FaultCluster
from support.faults.fault import Fault
from support.faults.offset_reset import all_groups_reset
from support.load.command_generator import CommandGenerator
from support.load.external_publisher import ExternalPublisher

BACKLOG = 300
FILE_SIZE = 300
POISONED_RECORDS = 300
POISON_EVERY = 10
LARGE_COMMANDS = 1_000
LARGE_LINES = 100  # of about 5 KB each


def publish_backlog(cluster: FaultCluster) -> None:
    """Publish a batch of random commands that takes a while to process."""
    generator = CommandGenerator(
        Random(cluster.rng.random()), cluster.profile.order_ids, cluster.profile.contacts
    )
    publish_recorded(cluster, (generator.next_record() for _ in range(BACKLOG)))


@contextmanager
def same_file_twice(cluster: FaultCluster) -> Iterator[None]:
    """Two publishers send the same orders under the same ids at the same time."""
    file = [
        register_record(order_body(contact=cluster.profile.contacts[0])) for _ in range(FILE_SIZE)
    ]
    with ThreadPoolExecutor(2) as both:
        for done in [both.submit(publish_recorded, cluster, file) for _ in range(2)]:
            done.result()
    yield


@contextmanager
def skewed_clocks(cluster: FaultCluster) -> Iterator[None]:
    """Publishers whose clocks are an hour slow, or fast."""
    for hours in (-1, 1):
        at = datetime.now(UTC) + timedelta(hours=hours)
        claimed_time = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        orders = [
            order_body(contact=cluster.profile.contacts[0], lastChangedAt=claimed_time)
            for _ in range(50)
        ]
        publish_recorded(
            cluster, [register_record(it, ce_time=claimed_time) for it in orders], at=at
        )
    yield


@contextmanager
def poisoned_records(cluster: FaultCluster) -> Iterator[None]:
    """Publish valid commands with an invalid record in every ten."""
    publish_recorded(
        cluster,
        (_poisoned_or_good(n, register_record(order_body())) for n in range(POISONED_RECORDS)),
    )
    yield


def _poisoned_or_good(number: int, good: RawRecord) -> RawRecord:
    values = [b"{not json", None, b"\xff\xfe", b"[]", b"\x00" * 1_000]
    bad = replace(good, value=values[number // POISON_EVERY % len(values)])
    return bad if number % POISON_EVERY == POISON_EVERY // 2 else good


@contextmanager
def large_commands(cluster: FaultCluster) -> Iterator[None]:
    """A thousand commands of 500 KB."""
    publish_recorded(cluster, (register_record(_large_order()) for _ in range(LARGE_COMMANDS)))
    yield


def _large_order() -> Json:
    order = order_body(lines=[_long_line() for _ in range(LARGE_LINES)])
    assert 450_000 < len(json.dumps(order)) < 524_288
    return order


def _long_line() -> Json:
    url = "https://example.com/" + "u" * 2_000
    return line(description="d" * 950, imageUrl=url, targetUrl=url)


def publish_recorded(
    cluster: FaultCluster, records: Iterable[RawRecord], at: datetime | None = None
) -> None:
    """Publish, recorded in the journal, and wait for the acknowledgements."""
    publisher = ExternalPublisher(cluster.stack.kafka, cluster.journal)
    for record in records:
        publisher.send(record, at=at)
    publisher.flush()


PUBLISHER_FAULTS = (
    Fault("the same file, twice at once", same_file_twice),
    Fault("publishers an hour off", skewed_clocks),
    Fault("poison in each batch", poisoned_records),
    Fault("1,000 commands of 500 KB", large_commands, once=True),
    # All topics are read again, so recovery takes longer the later in a run it comes.
    Fault("all groups reset to offset 0", all_groups_reset, recovery=900),
)
