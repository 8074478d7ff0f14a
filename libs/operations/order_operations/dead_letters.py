"""The dead-letter topics, and beside them one that remembers what was done with each letter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from order_contracts.topics import HANDLED
from order_operations.dead_letter_view import (
    DROPPED,
    REPLAYED,
    Letter,
    LetterFilter,
    LetterPosition,
    letter_of,
    mark,
    mark_of,
    marked,
    position_of,
)
from order_runtime.kafka.dead_letters import NotReplayable, replay_of
from order_runtime.kafka.publisher import BatchPublisher
from order_runtime.kafka.records import Outgoing, Record
from order_stack.problems import StackProblem

CLIENT: Final = "orders-cli"
SILENCE: Final = 15.0  # seconds without an answer
TOGETHER: Final = 100  # letters that are sent, and then remembered, at a time


class DeadLetters:
    """The dead letters of a Kafka cluster."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka

    def selected(self, wanted: LetterFilter) -> list[Letter]:
        """Return the letters that are meant, the oldest first."""
        letters: list[Letter] = []
        marks: dict[str, tuple[str, str]] = {}
        for record in self.records({*wanted.topics, HANDLED.name}):
            if record.topic == HANDLED.name:
                marks |= mark_of(record)
            else:
                letters.append(letter_of(record))
        found = (marked(letter, marks) for letter in letters)
        return sorted(filter(wanted.means, found), key=lambda letter: letter.at)

    def replay(self, letters: Sequence[Letter]) -> Iterator[tuple[LetterPosition, str | None]]:
        """
        Send letters again; yield each place when Kafka has it, with why not if it can't be sent.

        Remembered last: what a crash leaves unremembered is listed still, and to send it twice
        is a plain repeat.
        """
        sink = BatchPublisher(self._kafka, CLIENT)
        for some in _portions(self._records_of(letters)):
            sent: list[tuple[Record, Outgoing]] = []
            for record in some:
                try:
                    sent.append((record, replay_of(record)))
                except NotReplayable as error:
                    yield position_of(record), str(error)
            self._publish(sink, [outgoing for _, outgoing in sent])
            self._remember(sink, [letter_of(record) for record, _ in sent], REPLAYED)
            yield from ((position_of(record), None) for record, _ in sent)

    def drop(self, letters: Iterable[Letter]) -> None:
        """Remember that *letters* need no more attention; what they hold ages out."""
        self._remember(BatchPublisher(self._kafka, CLIENT), letters, DROPPED)

    def record_at(self, position: LetterPosition) -> Record:
        for record in self.records([position.topic]):
            if position_of(record) == position:
                return record
        raise StackProblem(f"There is no dead letter at {position}; they are kept for 14 days.")

    def records(self, topics: Collection[str]) -> Iterator[Record]:
        """Yield what *topics* hold now, each partition in its order."""
        with closing(_consumer(self._kafka)) as consumer:
            try:
                positions = _places(consumer, topics)
                consumer.assign(
                    [TopicPartition(*position, OFFSET_BEGINNING) for position in positions]
                )
                while positions:
                    message = consumer.poll(SILENCE)
                    if message is None:
                        raise StackProblem(f"Kafka at {self._kafka} doesn't answer.")
                    if message.error() is None:
                        yield _record(message)
                    elif message.error().code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                        positions.discard((message.topic(), message.partition()))
            except KafkaException as error:
                reason = error.args[0].str()
                raise StackProblem(f"Kafka at {self._kafka} can't be read: {reason}.") from error

    def _records_of(self, letters: Sequence[Letter]) -> Iterator[Record]:
        wanted = {letter.position for letter in letters}
        found = self.records({position.topic for position in wanted})
        return (record for record in found if position_of(record) in wanted)

    def _remember(self, sink: BatchPublisher, letters: Iterable[Letter], state: str) -> None:
        now = datetime.now(UTC)
        self._publish(sink, [mark(letter, state, now) for letter in letters])

    def _publish(self, sink: BatchPublisher, records: Sequence[Outgoing]) -> None:
        try:
            done = sink.publish_all(records, patience=SILENCE)
        except KafkaException as error:
            raise StackProblem(f"Kafka refused a record: {error.args[0].str()}.") from error
        if not done:
            raise StackProblem(
                f"Kafka at {self._kafka} doesn't acknowledge. Run the command again when it does: "
                "to send a letter twice does no harm."
            )


def _portions(records: Iterator[Record]) -> Iterator[list[Record]]:
    some: list[Record] = []
    for record in records:
        some.append(record)
        if len(some) == TOGETHER:
            yield some
            some = []
    if some:
        yield some


def _consumer(kafka: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": kafka,
            "client.id": CLIENT,
            "group.id": CLIENT,  # librdkafka asks for one; nothing is ever committed
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,  # or each empty partition costs half a second
            "log_level": 0,
        }
    )


def _places(consumer: Consumer, topics: Collection[str]) -> set[tuple[str, int]]:
    known = consumer.list_topics(timeout=SILENCE).topics
    if missing := sorted(set(topics) - known.keys()):
        raise StackProblem(f"Kafka has no topic {missing[0]}; docs/operating.md lists all.")
    return {(topic, partition) for topic in topics for partition in known[topic].partitions}


def _record(message: KafkaMessage) -> Record:
    return Record(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        at=datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC),
        key=message.key(),
        value=message.value(),
        headers=tuple(message.headers() or ()),
    )
