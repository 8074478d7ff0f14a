"""What no client can read, published byte by byte: names of headers, and compressed bombs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Final

from support.builders.bodies import unique
from support.builders.raw_records import COMMANDS_TOPIC
from support.builders.stored_batches import StoredBytes, batch_bytes
from support.faults.cluster import FaultCluster
from support.faults.fault import Fault
from support.faults.publisher_faults import publish_backlog
from support.load.recovery_probe import PARTITIONS
from support.stack.kafka_records import stored_as_sent
from support.stack.stored_batches import publish_batch, send_batch
from support.stack.wait import until

BOMB: Final = 120 << 20  # bytes; librdkafka unpacks 100 MB at most
PARTITIONS_HIT: Final = 3  # each batch takes a second or two
CODECS: Final = ("zstd", "gzip")


@contextmanager
def bad_header_names(cluster: FaultCluster) -> Iterator[None]:
    """A header's name that isn't UTF-8, on three partitions of the commands and the contacts."""
    publish_backlog(cluster)
    for topic in (COMMANDS_TOPIC, "reference.contacts"):
        for partition in hit_partitions(cluster):
            key = unique("bad-name").encode()
            record = StoredBytes(key, b"{}", [(b"ce_id", b"x"), (b"na\xffme", b"y")])
            batch = batch_bytes([record], at=None)
            publish_batch(cluster.stack.kafka, topic, partition, batch)
    publish_backlog(cluster)
    yield


@contextmanager
def refused_bombs(cluster: FaultCluster) -> Iterator[None]:
    """Compressed commands of 120 MiB each, between good ones; the brokers refuse them."""
    publish_backlog(cluster)
    for codec in CODECS:
        for partition in hit_partitions(cluster):
            error, _ = send_batch(
                cluster.stack.kafka, COMMANDS_TOPIC, partition, inflating_batch(codec)
            )
            assert error, f"a broker took a bomb of {codec}"
    yield


@contextmanager
def stored_bombs(cluster: FaultCluster) -> Iterator[None]:
    """The same on brokers that store what comes as it is: no client can read these batches."""
    with stored_as_sent(cluster.stack.kafka):
        for partition in hit_partitions(cluster):
            [offset] = until(partial(_stored_bomb, cluster, partition), of="a stored bomb")
            cluster.journal.unreadable_batches.append((COMMANDS_TOPIC, partition, offset))
    publish_backlog(cluster)
    yield


def hit_partitions(cluster: FaultCluster) -> list[int]:
    return cluster.rng.sample(range(PARTITIONS), PARTITIONS_HIT)


def _stored_bomb(cluster: FaultCluster, partition: int) -> tuple[int] | None:
    """Return the first offset of a stored bomb; None while the broker refuses it yet."""
    bomb = inflating_batch("zstd")
    error, offset = send_batch(cluster.stack.kafka, COMMANDS_TOPIC, partition, bomb)
    return None if error else (offset,)


@cache
def inflating_batch(codec: str) -> bytes:
    small = StoredBytes(b"beside-a-bomb", b"{}")
    return batch_bytes([small, StoredBytes(b"bomb", bytes(BOMB)), small], codec, at=None)


UNREADABLE_FAULTS: Final = (
    Fault("names of headers that are no text", bad_header_names),
    Fault("bombs that the brokers refuse", refused_bombs),
    Fault("bombs that are stored", stored_bombs, once=True),
)
