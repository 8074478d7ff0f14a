"""What fails by itself costs nobody else, and is told from a service that is at fault."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pytest
from pymongo.errors import AutoReconnect

from order_runtime.documents.document import UnreadableStored
from order_runtime.kafka.publisher import OutcomeUnknown
from order_runtime.process.errors import RequirementNotMet
from order_runtime.process.isolation import (
    ATTEMPTS_ALONE,
    MAX_UNKNOWN,
    MAX_UNREADABLE,
    EverythingFails,
    Isolation,
    handle_apart,
)


def of_document(identity: str) -> UnreadableStored:
    return UnreadableStored("orders", identity, KeyError("version"))


@dataclass
class Handler:
    """Handles numbers; fails for batches that hold a bad one."""

    bad: Collection[int]
    error: Exception = field(default_factory=RuntimeError)
    handled: list[int] = field(default_factory=list)
    calls: list[Sequence[int]] = field(default_factory=list)
    passes_after: int = 1_000
    """The calls of a bad number alone after which it goes well."""

    async def __call__(self, items: Sequence[int]) -> None:
        self.calls.append(list(items))
        bad = [it for it in items if it in self.bad]
        if bad and self.calls.count([bad[0]]) <= self.passes_after:
            raise self.error
        self.handled.extend(items)


async def test_a_batch_that_goes_well_is_handled_once() -> None:
    handler = Handler(bad=())
    assert await handle_apart(range(10), handler) == []
    assert len(handler.calls) == 1


async def test_what_fails_by_itself_is_left_out_and_the_rest_handled_in_order() -> None:
    handler = Handler(bad={0, 5, 9})
    failed = await handle_apart(range(10), handler)
    assert [(item, error) for item, error in failed] == [(it, handler.error) for it in (0, 5, 9)]
    assert handler.handled == [1, 2, 3, 4, 6, 7, 8]


async def test_one_that_goes_well_at_a_later_attempt_is_handled() -> None:
    handler = Handler(bad={1}, passes_after=ATTEMPTS_ALONE - 1)
    assert await handle_apart([0, 1, 2], handler) == []
    assert handler.handled == [0, 1, 2]


async def test_one_is_tried_some_times_alone_and_a_document_once() -> None:
    unknown, unreadable = Handler(bad={1}), Handler(bad={1}, error=of_document("o-1"))
    await handle_apart([1], unknown)
    await handle_apart([1], unreadable)
    assert (len(unknown.calls), len(unreadable.calls)) == (ATTEMPTS_ALONE, 1)


@pytest.mark.parametrize(
    "error", [AutoReconnect("away"), OutcomeUnknown("x"), RequirementNotMet("Set it.")]
)
async def test_what_is_no_items_fault_is_raised(error: Exception) -> None:
    """MongoDB or Kafka away, and what an operator must change: nothing is set aside for it."""
    handler = Handler(bad={1}, error=error)
    with pytest.raises(type(error)):
        await handle_apart(range(4), handler)
    assert len(handler.calls) == 1


async def test_nothing_fails_of_nothing() -> None:
    handler = Handler(bad=())
    assert await Isolation().handle([], handler) == []
    assert handler.calls == []


async def test_where_everything_fails_the_service_stops_and_sets_nothing_aside() -> None:
    with pytest.raises(EverythingFails):
        await Isolation().handle(range(MAX_UNKNOWN), Handler(bad=range(100)))


async def test_a_few_in_a_row_are_set_aside_and_the_next_one_stops_the_service() -> None:
    isolation, handler = Isolation(), Handler(bad=range(100))
    for number in range(MAX_UNKNOWN - 1):
        assert len(await isolation.handle([number], handler)) == 1
    with pytest.raises(EverythingFails):
        await isolation.handle([MAX_UNKNOWN], handler)


async def test_anything_that_goes_well_shows_that_the_service_does() -> None:
    isolation, handler = Isolation(), Handler(bad=range(100))
    for number in range(MAX_UNKNOWN + 1):
        await isolation.handle([number], handler)
        await isolation.handle([200 + number], handler)


async def test_one_document_that_is_met_again_and_again_stops_nobody() -> None:
    """All the commands of a quiet day may be of the order that can't be read."""
    isolation, handler = Isolation(), Handler(bad=range(100), error=of_document("o-1"))
    for number in range(20):
        assert len(await isolation.handle([number], handler)) == 1


async def test_many_documents_that_can_not_be_read_stop_the_service() -> None:
    isolation = Isolation()
    for number in range(MAX_UNREADABLE - 1):
        await isolation.handle([1], Handler(bad={1}, error=of_document(f"o-{number}")))
    with pytest.raises(EverythingFails):
        await isolation.handle([1], Handler(bad={1}, error=of_document("another")))
