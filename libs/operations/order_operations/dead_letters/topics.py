"""The dead-letter topics, and the topic that remembers what was done with each letter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import KafkaException

from order_contracts.topics import HANDLED
from order_operations.connections.kafka_client import CLIENT_ID, SILENCE_SECONDS, read_to_end
from order_operations.dead_letters.letter_view import (
    Letter,
    LetterFilter,
    LetterPosition,
    Marks,
    letter_of,
    mark_of,
    mark_record,
    position_of,
    superseded,
    with_state,
)
from order_operations.problems import OperationFailed
from order_runtime.documents.dead_letters import DROPPED, OPEN, REPLAYED
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.dead_letters import NotReplayable, replay_of
from order_runtime.kafka.publisher import BatchPublisher
from order_runtime.kafka.records import Outgoing, Record

BATCH: Final = 100  # letters that are sent, and then marked as replayed, at a time


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one letter: Kafka has it, or *refusal* says why it can't be sent."""

    position: LetterPosition
    refusal: str | None = None


class DeadLetters:
    """The dead letters of a Kafka cluster; every method raises OperationFailed."""

    def __init__(self, kafka: KafkaAddress) -> None:
        self._kafka = kafka

    def matching(
        self, wanted: LetterFilter, outcomes: Callable[[Sequence[Letter]], Sequence[Letter]] = list
    ) -> list[Letter]:
        """
        Return the letters that match, with their states, the oldest first.

        *outcomes* is given the letters that are open as far as Kafka knows, and returns them with
        what else is known of them.
        """
        letters: list[Letter] = []
        marks: Marks = {}
        for record in read_to_end(self._kafka, {*wanted.topics, HANDLED.name}):
            if record.topic == HANDLED.name:
                marks |= mark_of(record)
            else:
                letters.append(letter_of(record))
        found = superseded([with_state(letter, marks) for letter in letters])
        unsettled = outcomes([it for it in found if it.state == OPEN])
        found = [*(it for it in found if it.state != OPEN), *unsettled]
        return sorted(filter(wanted.matches, found), key=lambda letter: letter.at)

    def record_at(self, position: LetterPosition) -> Record:
        """Return the dead letter at a position, with its value."""
        for record in read_to_end(self._kafka, [position.topic]):
            if position_of(record) == position:
                return record
        raise OperationFailed(f"There is no dead letter at {position}; they are kept for 14 days.")

    def replay(self, letters: Sequence[Letter]) -> Iterator[Replayed]:
        """
        Send letters to the topics they came from; yield what became of each, as it is done.

        Marked as replayed after Kafka has them: after a crash in between they are still listed,
        and to send one twice changes nothing.
        """
        publisher = BatchPublisher(self._kafka, CLIENT_ID)
        for batch in _batches(self._records_of(letters)):
            sent: list[tuple[Record, Outgoing]] = []
            for record in batch:
                try:
                    sent.append((record, replay_of(record)))
                except NotReplayable as error:
                    yield Replayed(position_of(record), str(error))
            self._publish(publisher, [outgoing for _, outgoing in sent])
            self._mark(publisher, [letter_of(record) for record, _ in sent], REPLAYED)
            yield from (Replayed(position_of(record)) for record, _ in sent)

    def drop(self, letters: Iterable[Letter]) -> None:
        """Mark letters as dropped; Kafka deletes what they hold when their retention is over."""
        self._mark(BatchPublisher(self._kafka, CLIENT_ID), letters, DROPPED)

    def _records_of(self, letters: Sequence[Letter]) -> Iterator[Record]:
        wanted = {letter.position for letter in letters}
        found = read_to_end(self._kafka, {position.topic for position in wanted})
        return (record for record in found if position_of(record) in wanted)

    def _mark(self, publisher: BatchPublisher, letters: Iterable[Letter], state: str) -> None:
        now = datetime.now(UTC)
        self._publish(publisher, [mark_record(letter, state, now) for letter in letters])

    def _publish(self, publisher: BatchPublisher, records: Sequence[Outgoing]) -> None:
        try:
            done = publisher.publish_all(records, timeout=SILENCE_SECONDS)
        except KafkaException as error:
            raise OperationFailed(f"Kafka refused a record: {error.args[0].str()}.") from error
        if not done:
            raise OperationFailed(
                f"Kafka at {self._kafka} doesn't acknowledge. Do it again when it does: "
                "to send a letter twice does no harm."
            )


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
