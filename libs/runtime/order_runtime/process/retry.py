"""Retries with growing pauses and no last attempt: nothing is given up for a transient error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure, PyMongoError

from order_runtime.mongo.errors import DUPLICATE_KEY, write_error_codes
from order_runtime.observability.dependencies import MONGODB, Dependency

FIRST_DELAY: Final = 0.1  # seconds
LONGEST_DELAY: Final = 5.0
# Stepping down, shutting down, no longer primary, a time limit that was exceeded; and of a replica
# set that was started as a whole a moment ago: no majority yet, and so no key by which it knows
# its own cluster times (KeyNotFound, where clients log in).
_STARTING: Final = frozenset({134, 211})
_PASSING: Final = _STARTING | {50, 64, 89, 91, 189, 262, 10107, 11600, 11602, 13435, 13436}
T = TypeVar("T")


def transient(error: Exception) -> bool:
    """Return whether the same call may succeed later, unchanged."""
    if isinstance(error, BulkWriteError):
        codes = write_error_codes(error) - {DUPLICATE_KEY}  # that is a repeat
        return bool(codes) and codes <= _PASSING
    if isinstance(error, OperationFailure):
        return error.timeout or error.code in _PASSING
    return isinstance(error, PyMongoError) and (
        isinstance(error, ConnectionFailure) or error.timeout
    )


async def retry_transient(
    act: Callable[[], Awaitable[T]], before_pause: Callable[[], None] = lambda: None
) -> T:
    """
    Await *act* until MongoDB takes it: again after each transient error, for ever.

    *act* must bear being repeated. *before_pause* is called before each pause.
    """
    return await retry(act, transient, MONGODB, before_pause)


async def retry(
    act: Callable[[], Awaitable[T]],
    passing: Callable[[Exception], bool],
    dependency: Dependency,
    before_pause: Callable[[], None] = lambda: None,
) -> T:
    """
    Await *act* until it raises nothing that is *passing*; other errors are the caller's.

    Tells *dependency*, which logs it, and pauses after each attempt, from FIRST_DELAY doubling to
    LONGEST_DELAY seconds.
    """
    delay = FIRST_DELAY
    while True:
        try:
            return await act()
        except Exception as error:
            if not passing(error):
                raise
            # The type alone: its text may quote a document.
            dependency.failed(type(error).__name__)
        before_pause()
        await asyncio.sleep(delay)
        delay = min(delay * 2, LONGEST_DELAY)
