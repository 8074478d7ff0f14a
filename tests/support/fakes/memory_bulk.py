"""A collection of MongoDB in memory, as far as the enricher inserts into it in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from pymongo import UpdateOne
from pymongo.errors import InvalidOperation


class MemoryBulkCollection:
    """Remembers each operation; knows the upserts of `insert_once`, and nothing else."""

    def __init__(self) -> None:
        self.operations: list[Sequence[UpdateOne]] = []
        self.documents: dict[Any, dict[str, Any]] = {}

    async def bulk_write(self, writes: Sequence[UpdateOne], *, ordered: bool) -> None:
        assert not ordered
        if not writes:
            raise InvalidOperation("No operations to execute")
        self.operations.append(writes)
        for write in writes:
            # PyMongo's own names: it has no public ones for what a write holds.
            key, update = write._filter["_id"], cast("dict[str, Any]", write._doc)  # noqa: SLF001
            self.documents.setdefault(key, {"_id": key, **update["$setOnInsert"]})
