"""What an event costs doesn't grow with the jobs, and their action data, that its order has."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from order_runtime.mongo.client import AGREEMENTS, ENRICHMENTS, JOBS
from support.builders.bodies import Json
from support.builders.writer_fixtures import WriterFixture, WrittenCommand, read_back
from support.growth.profile import Profile, Work
from support.growth.round_trips import round_trips
from support.harness.enricher_harness import (
    CONFIRM,
    EnricherHarness,
    article_record,
    contact_record,
    order_of_contact,
)
from support.stack.running_stack import RunningStack

PLAIN: Json = {"action": "ConfirmOrder"}
SHORT, LONG = (30, 300), (300, 10_000)
EVENTS = 10  # that are counted, in a batch of their own
OF_JOBS = (JOBS, ENRICHMENTS, AGREEMENTS)


class OneOrder:
    """An order that is replaced again and again, each time with an action."""

    def __init__(self, harness: EnricherHarness, mongo: str, action: Json | None) -> None:
        self._harness, self._mongo, self._action = harness, mongo, action
        self._writer = WriterFixture("o-1")
        self._count = 0

    async def grow(self, jobs: int) -> None:
        """Replace the order until it has so many jobs."""
        while self._count < jobs:
            await self._handle(self._replaced(min(100, jobs - self._count)))

    async def counted(self) -> tuple[Work, int]:
        """Return the work of a further batch on all that is stored of jobs, and its round trips."""
        written = self._replaced(EVENTS)
        await self._harness.store(written)
        name = self._harness.database.name
        with Profile(self._mongo, name) as profile, round_trips(name) as commands:
            await self._harness.handle_events([read_back(it.event) for it in written])
        return profile.of(*OF_JOBS), sum(commands.values())

    def _replaced(self, times: int) -> list[WrittenCommand]:
        self._count += times
        return list(self._write(times))

    def _write(self, times: int) -> Iterable[WrittenCommand]:
        for _ in range(times):
            change = self._writer.replace if self._writer.version else self._writer.register
            yield change(order_of_contact(), self._action)

    async def _handle(self, written: list[WrittenCommand]) -> None:
        await self._harness.store(written)
        await self._harness.handle_events([read_back(it.event) for it in written])


async def costs(
    harness: EnricherHarness, stack: RunningStack, sizes: tuple[int, int], action: Json | None
) -> tuple[tuple[Work, int], tuple[Work, int]]:
    """Return what a batch costs at the one size and at the other."""
    await harness.add_references(contact_record(), article_record())
    order = OneOrder(harness, stack.mongo, action)
    await order.grow(sizes[0])
    before = await order.counted()
    await order.grow(sizes[1])
    return before, await order.counted()


@pytest.mark.parametrize("action", [None, PLAIN, CONFIRM], ids=["none", "plain", "with-data"])
@pytest.mark.parametrize(
    "sizes",
    [SHORT, pytest.param(LONG, marks=[pytest.mark.faults, pytest.mark.timeout(1_800)])],
    ids=["short", "long"],
)
async def test_a_replacement_costs_the_same_however_many_there_were(
    harness: EnricherHarness, stack: RunningStack, sizes: tuple[int, int], action: Json | None
) -> None:
    """Each used to update all jobs of its order: at 20,000 that ended in a timeout, for ever."""
    (small, few), (large, many) = await costs(harness, stack, sizes, action)

    assert large.examined <= small.examined
    assert large.keys <= small.keys + EVENTS  # an index may be a level deeper
    assert (large.written, many) == (small.written, few)
    assert small.examined <= 4 * EVENTS
