"""A MongoDB database with a hook before each call: a worker can be paused or killed there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from order_runtime.mongo.client import Document


class WorkerDied(BaseException):
    """Stands for a crash of the worker process at this point; no handler of it can catch that."""


class InterceptedDatabase:
    """A database that awaits *before* each call: `find`, or the name of what writes."""

    def __init__(
        self, database: AsyncDatabase[Document], before: Callable[[str], Awaitable[None]]
    ) -> None:
        self._database = database
        self._before = before

    def __getitem__(self, name: str) -> Any:
        return _InterceptedCollection(self._database[name], self._before)


class _InterceptedCollection:
    def __init__(self, collection: Any, before: Callable[[str], Awaitable[None]]) -> None:
        self._collection = collection
        self._before = before

    def find(self, *args: Any, **options: Any) -> Any:
        return _InterceptedCursor(self._collection.find(*args, **options), self._before)

    async def aggregate(self, *args: Any) -> Any:
        await self._before("find")
        return await self._collection.aggregate(*args)

    async def distinct(self, *args: Any) -> Any:
        await self._before("find")
        return await self._collection.distinct(*args)

    async def bulk_write(self, *args: Any, **options: Any) -> Any:
        await self._before("bulk_write")
        return await self._collection.bulk_write(*args, **options)

    async def insert_many(self, *args: Any, **options: Any) -> Any:
        await self._before("insert_many")
        return await self._collection.insert_many(*args, **options)

    async def update_many(self, *args: Any) -> Any:
        await self._before("update_many")
        return await self._collection.update_many(*args)


class _InterceptedCursor:
    def __init__(self, cursor: Any, before: Callable[[str], Awaitable[None]]) -> None:
        self._cursor = cursor
        self._before = before

    async def __aiter__(self) -> AsyncIterator[Document]:
        await self._before("find")
        async for document in self._cursor:
            yield document


def dying_database(database: AsyncDatabase[Document], writes: int) -> InterceptedDatabase:
    """Return a database that raises WorkerDied at the first write after *writes*."""
    left = writes

    async def before(call: str) -> None:
        nonlocal left
        if call != "find":
            left -= 1
            if left < 0:
                raise WorkerDied

    return InterceptedDatabase(database, before)
