"""Waiting for MongoDB to come back: nothing is lost, nothing is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure, PyMongoError

from order_runtime.process.logs import log

FIRST_DELAY: Final = 0.1  # seconds
LONGEST_DELAY: Final = 5.0
# Stepping down, shutting down, no longer primary, a time limit that was exceeded.
_PASSING: Final = frozenset({50, 64, 89, 91, 189, 262, 10107, 11600, 11602, 13435, 13436})
_DUPLICATE_KEY: Final = 11000

T = TypeVar("T")


def transient(error: Exception) -> bool:
    """Return whether the same call may succeed later, unchanged."""
    if isinstance(error, BulkWriteError):
        failed = [*error.details.get("writeConcernErrors", ()), *error.details["writeErrors"]]
        codes = {item.get("code") for item in failed} - {_DUPLICATE_KEY}  # that is a repeat
        return bool(codes) and codes <= _PASSING
    if isinstance(error, OperationFailure):
        return error.timeout or error.code in _PASSING
    return isinstance(error, PyMongoError) and (
        isinstance(error, ConnectionFailure) or error.timeout
    )


async def retry_transient(
    act: Callable[[], Awaitable[T]], refused: Callable[[], None] = lambda: None
) -> T:
    """
    Do *act* until it isn't refused for a passing reason; it must bear being repeated.

    *refused* is called before each pause.
    """
    delay = FIRST_DELAY
    while True:
        try:
            return await act()
        except PyMongoError as error:
            if not transient(error):
                raise
            # The type alone: its text may quote a document.
            log().warning("waiting for the database", error=type(error).__name__, seconds=delay)
        refused()
        await asyncio.sleep(delay)
        delay = min(delay * 2, LONGEST_DELAY)
