"""What a batch writes at once is bounded, however many lines its orders have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from pymongo.asynchronous.collection import AsyncCollection

from enricher.adapters import bulk_writes
from order_runtime.mongo.client import Document


class Portions:
    """A collection that remembers what each operation was given."""

    def __init__(self) -> None:
        self.given: list[Sequence[Any]] = []

    async def bulk_write(self, writes: Sequence[Any], *, ordered: bool) -> None:
        assert not ordered
        self.given.append(writes)


async def test_a_large_write_goes_out_in_portions() -> None:
    """One that exceeds the time of an operation would be tried again for ever."""
    collection = Portions()
    writes = [
        bulk_writes.insert_once({"_id": number})
        for number in range(2 * bulk_writes.MAX_WRITTEN + 1)
    ]

    await bulk_writes.bulk_write(cast("AsyncCollection[Document]", collection), writes)

    assert [len(it) for it in collection.given] == [
        bulk_writes.MAX_WRITTEN,
        bulk_writes.MAX_WRITTEN,
        1,
    ]
    assert [it for portion in collection.given for it in portion] == writes


async def test_nothing_to_write_asks_nothing() -> None:
    collection = Portions()
    await bulk_writes.bulk_write(cast("AsyncCollection[Document]", collection), [])
    assert collection.given == []
