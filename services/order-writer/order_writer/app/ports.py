"""What the batch processor needs of Kafka and MongoDB; `tests/conformance` holds each to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from order_runtime.kafka.records import Outgoing, Record
from order_writer.domain.batch import FoldedBatch
from order_writer.domain.decode import BatchItem


class CommandSource(Protocol):
    """The commands, each partition from the offset that was committed last."""

    def take(self, limit: int, wait: float, /) -> list[Record]:
        """
        Return up to *limit* records, or none after *wait* seconds.

        take() implies that what it returned before is settled: where it returns nothing, it
        commits up to where it has read.
        """
        ...

    def commit(self, records: Sequence[Record], /) -> None:
        """Commit the offsets behind *records*; may do it in the background."""
        ...

    def idle(self, seconds: float, /) -> None:
        """Wait without taking anything, committing anything or leaving the consumer group."""
        ...


class EventSink(Protocol):
    """
    The topics that events and dead letters are published to.

    Both methods return whether the broker has acknowledged all records, and wait for that up to
    *timeout* seconds. Both raise KafkaException for a record that the broker refuses.
    """

    def publish_all(self, records: Sequence[Outgoing], timeout: float, /) -> bool:
        """Publish *records* in order. If the answer is False, call `flushed`, not this again."""
        ...

    def flushed(self, timeout: float, /) -> bool: ...


class Ledger(Protocol):
    """The orders, jobs, Idempotency-Keys and the integration log."""

    def apply(self, items: Sequence[BatchItem], /) -> FoldedBatch:
        """
        Fold a batch over what is stored and store the result, all of it or nothing.

        To apply a batch again changes nothing, and has the same answers. Raises BatchTooLarge,
        OwnCommandUnreadable, and whatever the database raises: then nothing was stored, or all of
        it where only the answer to the commit was lost.
        """
        ...
