"""
Items handled together or, where that fails, in halves, down to those that fail by themselves.

What fails by itself is a *suspect*: it, or a document that is stored for it, can't be read, or the
service is at fault. `Isolation` decides which, by how the others went.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

from order_runtime.documents.document import UnreadableStored
from order_runtime.kafka.publisher import NotAccepted, OutcomeUnknown
from order_runtime.process.errors import UnrecoverableError
from order_runtime.process.retry import transient

T = TypeVar("T")

ATTEMPTS_ALONE: Final = 3  # of an item by itself, before it is a suspect
PAUSE_SECONDS: Final = 0.1  # before each further attempt
MAX_UNKNOWN: Final = 3  # failures in a row nobody knows the reason of: the service is at fault
MAX_UNREADABLE: Final = 100  # documents in a row that can't be read: so is it then


class EverythingFails(UnrecoverableError):
    """Nothing can be handled: the service is at fault, so no record is set aside for it."""

    def __init__(self) -> None:
        super().__init__("One record after the other fails for a reason nobody knows; it stops.")


async def handle_apart(
    items: Sequence[T], handle: Callable[[Sequence[T]], Awaitable[None]]
) -> list[tuple[T, Exception]]:
    """
    Handle *items* in order; return those that fail by themselves, each with its last error.

    *handle* must bear being repeated. An item behind one that fails is handled. Raises what is no
    item's fault: transient errors of MongoDB, those of Kafka, and UnrecoverableError.
    """
    if not items:
        return []
    try:
        await handle(items)
    except Exception as error:
        if _is_nobodys(error):
            raise
        if len(items) == 1:
            return await _retry_alone(items[0], handle, error)
    else:
        return []
    middle = len(items) // 2
    first = await handle_apart(items[:middle], handle)
    return [*first, *await handle_apart(items[middle:], handle)]


async def _retry_alone(
    item: T, handle: Callable[[Sequence[T]], Awaitable[None]], error: Exception
) -> list[tuple[T, Exception]]:
    """Use up the attempts of one item; a document that can't be read needs no other."""
    for _ in range(ATTEMPTS_ALONE - 1):
        if isinstance(error, UnreadableStored):
            break
        await asyncio.sleep(PAUSE_SECONDS)
        try:
            await handle([item])
        except Exception as again:
            if _is_nobodys(again):
                raise
            error = again
        else:
            return []
    return [(item, error)]


def _is_nobodys(error: Exception) -> bool:
    return transient(error) or isinstance(
        error, UnrecoverableError | OutcomeUnknown | NotAccepted | MemoryError
    )


class FailureCauses:
    """
    What failed since anything was handled, to tell records at fault from a service at fault.

    That anything was handled shows that the service isn't at fault. Until then a few unknown
    reasons, and some stored documents that can't be read, are taken for the records'.
    """

    def __init__(self, max_unknown: int = MAX_UNKNOWN) -> None:
        self._max_unknown = max_unknown
        self._unknown = 0
        self._unreadable: set[tuple[str, str]] = set()

    def clear(self) -> None:
        """Forget all of them: something was handled."""
        self._unknown = 0
        self._unreadable.clear()

    def add(self, errors: Iterable[Exception]) -> bool:
        """Add the causes of failures; return whether the service is at fault."""
        for error in errors:
            if isinstance(error, UnreadableStored):
                self._unreadable.add((error.collection, error.facts["document"]))
            else:
                self._unknown += 1
        return self._unknown >= self._max_unknown or len(self._unreadable) >= MAX_UNREADABLE


class Isolation:
    """Handles items apart from those that fail by themselves; one for each service."""

    def __init__(self) -> None:
        self._causes = FailureCauses()

    async def handle(
        self, items: Sequence[T], handle: Callable[[Sequence[T]], Awaitable[None]]
    ) -> list[tuple[T, Exception]]:
        """Handle *items* as `handle_apart` does; raises EverythingFails, too."""
        suspects = await handle_apart(items, handle)
        if len(suspects) < len(items):
            self._causes.clear()
        elif self._causes.add(error for _, error in suspects):
            raise EverythingFails from suspects[-1][1]
        return suspects
