"""What MongoDB's errors mean: codes that several services ask for, and where they stand."""

from __future__ import annotations

from typing import Final

from pymongo.errors import BulkWriteError

DUPLICATE_KEY: Final = 11_000
WRITE_CONFLICT: Final = 112


def write_error_codes(error: BulkWriteError) -> set[int | None]:
    """Return the codes of all errors of a bulk write, those of its write concern included."""
    details = error.details
    failed = [*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())]
    return {item.get("code") for item in failed}


def duplicates(error: BulkWriteError) -> list[int]:
    """
    Return the positions of the writes that met a document with their key.

    Raises *error* again where anything else went wrong, too.
    """
    if write_error_codes(error) - {DUPLICATE_KEY} or error.details.get("writeConcernErrors"):
        raise error
    return [item["index"] for item in error.details["writeErrors"]]
