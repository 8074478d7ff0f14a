"""What indexes a collection of a database has, those that are being built included."""

from __future__ import annotations

from typing import Final

from pymongo.database import Database
from pymongo.errors import OperationFailure

from order_runtime.mongo.client import Document
from order_runtime.mongo.indexes import FoundIndex, found_index

_NO_COLLECTION: Final = 26


def read_indexes(database: Database[Document], collection: str) -> list[FoundIndex]:
    """Return the indexes of a collection in one round trip; none where it doesn't exist."""
    command = {"listIndexes": collection, "includeIndexBuildInfo": True}
    try:
        answer = database.command({**command, "cursor": {"batchSize": 1_000}})
    except OperationFailure as error:
        if error.code == _NO_COLLECTION:
            return []
        raise
    return [found_index(entry) for entry in answer["cursor"]["firstBatch"]]
