"""What a consumer of a compacted topic may commit, and what it keeps in memory for it."""

from __future__ import annotations

import tracemalloc

import pytest
from faust.types import TP

from enricher.adapters.acked_offsets import GapConsumer, Span, contiguous_end
from enricher.adapters.kafka_consumer import FaustApp, faust_app
from enricher.settings import Settings
from order_runtime.process.settings import load

PLACE = TP("reference.contacts", 3)
FAR = 10_000_000


@pytest.mark.parametrize(
    ("spans", "committed", "end"),
    [
        ([], None, None),
        ([(5, 6), (6, 7)], None, 7),
        ([(5, 6), (7, 8)], None, 6),
        ([(5, 6), (6, 90), (90, 91)], 5, 91),
        ([(5, 90), (6, 7), (90, 91)], 5, 91),
        ([(7, 8)], 6, 8),
        ([(7, 8)], 5, None),
        ([(7, 8)], 0, 8),
    ],
)
def test_a_hole_ends_what_can_be_committed(
    spans: list[tuple[int, int]], committed: int | None, end: int | None
) -> None:
    """The first of all follows what is committed, or the record there is."""
    assert contiguous_end([Span(*it) for it in spans], committed) == end


class DrivenConsumer(GapConsumer):
    """Is given gaps, acknowledgements and commits as Faust gives them."""

    async def gap(self, begin: int, record: int) -> None:
        await self._add_gap(PLACE, begin, record)

    def acknowledge(self, *offsets: int) -> None:
        for offset in offsets:
            self._acked[PLACE].append(offset)
            self._acked_index[PLACE].add(offset)

    def commit_until(self, offset: int) -> None:
        self._committed_offset[PLACE] = offset

    def next_commit(self) -> int | None:
        return self._new_offset(PLACE)

    def held(self) -> int:
        """Return how many offsets and gaps are in memory."""
        return sum(len(it[PLACE]) for it in (self._acked, self._acked_index, self._gap))


@pytest.fixture
async def app(monkeypatch: pytest.MonkeyPatch) -> FaustApp:
    settings = {"KAFKA": "localhost:1", "MONGO": "mongodb://localhost:1", "INSTANCE": "one"}
    settings |= {"HEALTH_PORT": "1", "ERASURE_SECRET": "x" * 40}
    for name, value in settings.items():
        monkeypatch.setenv(f"ORDERMILL_{name}", value)
    return faust_app(load(Settings))


@pytest.fixture
async def consumer(app: FaustApp) -> DrivenConsumer:
    async def nothing(*_: object) -> None:
        """No callback is called."""

    return DrivenConsumer(app.transport, nothing, nothing, nothing)


async def test_the_enricher_consumes_by_it(app: FaustApp) -> None:
    assert isinstance(app.consumer, GapConsumer)


async def test_a_gap_of_millions_is_two_numbers(consumer: DrivenConsumer) -> None:
    """A reread of a topic that was compacted for years lists no offset that isn't there."""
    tracemalloc.start()
    await consumer.gap(1, FAR)
    consumer.acknowledge(0, FAR)
    assert consumer.next_commit() == FAR + 1
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100_000
    assert consumer.held() == 0


async def test_a_gap_counts_once_the_record_behind_it_is_acknowledged(
    consumer: DrivenConsumer,
) -> None:
    await consumer.gap(1, FAR)
    consumer.acknowledge(0)
    assert consumer.next_commit() == 1
    consumer.acknowledge(FAR)
    assert consumer.next_commit() == FAR + 1


async def test_a_record_that_is_not_acknowledged_holds_what_is_behind_it(
    consumer: DrivenConsumer,
) -> None:
    """Also the one that ends a gap."""
    await consumer.gap(1, FAR)
    consumer.acknowledge(0, FAR + 1)
    assert consumer.next_commit() == FAR
    assert consumer.held() == 2
    consumer.acknowledge(FAR)
    assert consumer.next_commit() == FAR + 2


async def test_what_does_not_follow_the_committed_offset_waits(consumer: DrivenConsumer) -> None:
    consumer.commit_until(10)
    consumer.acknowledge(14)
    assert consumer.next_commit() is None
    consumer.acknowledge(10)
    await consumer.gap(5, 14)
    assert consumer.next_commit() == 15


async def test_a_gap_below_the_committed_offset_is_none(consumer: DrivenConsumer) -> None:
    consumer.commit_until(10)
    await consumer.gap(5, 11)
    assert consumer.held() == 0
    assert consumer.next_commit() is None
