"""Committing offsets in the background, and again where the broker refused them."""

from __future__ import annotations

from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from order_contracts.topics import COMMANDS
from order_runtime.process.log_events import OFFSETS_NOT_COMMITTED
from order_runtime.process.logs import log
from order_writer.domain.offset_tracker import OffsetTracker

TRANSIENT: Final = frozenset(
    {
        KafkaError._TRANSPORT,  # noqa: SLF001  librdkafka's own codes begin with _
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError._WAIT_COORD,  # noqa: SLF001
    }
)
"""The errors from which librdkafka recovers by itself."""
_REBALANCED: Final = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001
        KafkaError._NO_OFFSET,  # noqa: SLF001
    }
)


class OffsetCommits:
    """Sends the offsets that are due, and notes the broker's answers; for one thread."""

    def __init__(self, tracker: OffsetTracker) -> None:
        self._tracker = tracker

    def send(self, consumer: Consumer) -> None:
        """
        Commit what is due, without waiting for the answer.

        A partition that was lost is never among it: a commit with an outdated membership is
        fatal to the consumer.
        """
        due = [TopicPartition(COMMANDS.name, *it) for it in self._tracker.due().items()]
        if not due:
            return
        try:
            consumer.commit(offsets=due, asynchronous=True)
        except KafkaException as error:
            self.answered(error.args[0], due)

    def answered(self, error: KafkaError | None, offsets: list[TopicPartition]) -> None:
        """Note the answer to a commit (librdkafka's `on_commit`); raises KafkaException."""
        reasons = {it.partition: why for it in offsets if (why := error or it.error) is not None}
        for why in reasons.values():
            if why.code() not in _REBALANCED | TRANSIENT:
                raise KafkaException(why)
        if reasons:
            names = sorted({why.name() for why in reasons.values()})
            log().warning(OFFSETS_NOT_COMMITTED, partitions=sorted(reasons), reasons=names)
        for place in offsets:
            refused = place.partition in reasons
            self._tracker.answered(place.partition, place.offset, refused=refused)
