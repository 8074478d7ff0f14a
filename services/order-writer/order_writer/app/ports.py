"""What the batch processor needs of Kafka and MongoDB; `tests/conformance` holds each to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from order_runtime.kafka.records import Outgoing, Record
from order_writer.domain.batch import FoldedBatch
from order_writer.domain.batch_items import BatchItem
from order_writer.domain.offset_tracker import NO_OFFSETS


class CommandSource(Protocol):
    """
    The commands, each partition from the lower of two offsets.

    One was committed last; the other the ledger stores, with the effects of the commands before.
    """

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

    def rewind(self) -> None:
        """Begin again at the offsets that the ledger stores, which is behind what was taken."""
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

    def apply(
        self, items: Sequence[BatchItem], offsets: Mapping[int, int] = NO_OFFSETS, /
    ) -> FoldedBatch:
        """
        Fold a batch over what is stored and store the result, all of it or nothing.

        *offsets*, the next one of each partition by number, are stored with it and never lowered.
        To apply a batch again changes nothing, and has the same answers. Raises BatchTooLarge,
        OwnCommandUnreadable, StoredOffsetsBehind where a lower offset is stored than this ledger
        had seen (the database was restored to an earlier time), and whatever the database raises:
        then nothing was stored, or all of it where only the answer to the commit was lost.
        """
        ...
