"""What the action-trigger takes at once is bounded by its bytes, and nothing taken is lost."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import ConsumerRecord, TopicPartition

from action_trigger.adapters.kafka_consumer import BATCH, BATCH_BYTES, PORTION, take_batch
from order_contracts.topics import ACTIONS, MIB

PLACE = TopicPartition(ACTIONS.name, 3)


@dataclass
class Consumer:
    """As aiokafka's: gives what was fetched, each record once; fails once it has given some."""

    sizes: list[int]
    fails_behind: int | None = None
    waited: list[int] = field(default_factory=list)
    given: int = 0

    async def getmany(
        self, *, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        self.waited.append(timeout_ms)
        if self.fails_behind is not None and self.given >= self.fails_behind:
            raise KafkaConnectionError
        some = range(self.given, min(self.given + max_records, len(self.sizes)))
        self.given = some.stop
        return {PLACE: [self._record(offset) for offset in some]} if some else {}

    def _record(self, offset: int) -> ConsumerRecord:
        value = bytes(self.sizes[offset])
        return ConsumerRecord(
            PLACE.topic, PLACE.partition, offset, 0, 1, b"k", value, None, 1, len(value), ()
        )


async def test_small_actions_are_taken_many_at_once() -> None:
    taken = await take_batch(Consumer([100] * 2_000))
    assert BATCH <= len(taken) < BATCH + PORTION
    assert [it.offset for it in taken] == list(range(len(taken)))


async def test_large_actions_are_taken_few_at_once() -> None:
    """500 of 4 MiB would be 2 GB."""
    taken = await take_batch(Consumer([4 * MIB - 1_000] * 500))
    assert sum(len(it.value or b"") for it in taken) < BATCH_BYTES + PORTION * 4 * MIB


async def test_what_is_there_is_taken_without_waiting_for_more() -> None:
    consumer = Consumer([100] * 11)
    assert len(await take_batch(consumer)) == 11
    assert consumer.waited[0] > 0
    assert set(consumer.waited[1:]) == {0}


async def test_what_was_taken_before_an_error_is_not_lost() -> None:
    """The consumer's position is behind it: the next commit would pass it over."""
    consumer = Consumer([100] * 50, fails_behind=16)
    assert [it.offset for it in await take_batch(consumer)] == list(range(16))
