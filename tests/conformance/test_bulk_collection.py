"""A large write goes out in portions, and is wholly done: in memory and in MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol, cast

import pytest
from pymongo import AsyncMongoClient, monitoring
from pymongo.asynchronous.collection import AsyncCollection

from enricher.adapters.bulk_writes import MAX_WRITTEN, bulk_write, insert_once
from order_runtime.mongo.client import Document
from support.builders.bodies import unique
from support.fakes.memory_bulk import MemoryBulkCollection
from support.stack.running_stack import RunningStack


class Target(Protocol):
    """A collection, and what it was given."""

    @property
    def collection(self) -> AsyncCollection[Document]: ...
    @property
    def operations(self) -> list[int]:
        """The number of writes of each operation."""
        ...

    async def ids(self) -> list[int]: ...


class MemoryTarget:
    def __init__(self) -> None:
        self._fake = MemoryBulkCollection()

    @property
    def collection(self) -> AsyncCollection[Document]:
        return cast("AsyncCollection[Document]", self._fake)

    @property
    def operations(self) -> list[int]:
        return [len(it) for it in self._fake.operations]

    async def ids(self) -> list[int]:
        return sorted(self._fake.documents)


class MongoTarget(monitoring.CommandListener):
    """A real collection, whose driver tells each command that it sends."""

    def __init__(self) -> None:
        self.operations: list[int] = []
        self.collection: AsyncCollection[Document]

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "update":
            self.operations.append(len(event.command["updates"]))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Is told of for `started` only."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Is told of for `started` only."""

    async def ids(self) -> list[int]:
        return [it["_id"] async for it in self.collection.find().sort("_id")]


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.stack)])
def stack_or_none(request: pytest.FixtureRequest) -> RunningStack | None:
    if request.param == "memory":
        return None
    stack: RunningStack = request.getfixturevalue("stack")
    return stack


@pytest.fixture
async def target(stack_or_none: RunningStack | None) -> AsyncIterator[Target]:
    if stack_or_none is None:
        yield MemoryTarget()
        return
    real = MongoTarget()
    client: AsyncMongoClient[Document]
    async with AsyncMongoClient(stack_or_none.mongo, event_listeners=[real]) as client:
        database = unique("conformance")
        real.collection = client[database]["bulk"]
        yield real
        await client.drop_database(database)


def inserts(count: int) -> Sequence[Any]:
    return [insert_once({"_id": number}) for number in range(count)]


async def test_a_large_write_goes_out_in_portions(target: Target) -> None:
    """One that exceeds the time of an operation would be tried again for ever."""
    await bulk_write(target.collection, inserts(2 * MAX_WRITTEN + 1))
    assert target.operations == [MAX_WRITTEN, MAX_WRITTEN, 1]
    assert await target.ids() == list(range(2 * MAX_WRITTEN + 1))


async def test_what_is_there_is_left_as_it_is(target: Target) -> None:
    await bulk_write(target.collection, inserts(2))
    await bulk_write(target.collection, inserts(3))
    assert await target.ids() == [0, 1, 2]


async def test_nothing_to_write_asks_nothing(target: Target) -> None:
    await bulk_write(target.collection, [])
    assert target.operations == []
