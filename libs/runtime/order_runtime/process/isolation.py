"""
Items handled together or, where that fails, in halves, down to those that fail by themselves.

What fails by itself is a *suspect*: it, or a document that is stored for it, can't be read, or the
service is at fault. `Isolation` decides which, by how the others went.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, TypeVar

from order_runtime.documents.document import UnreadableStored
from order_runtime.kafka.publisher import NotAccepted, OutcomeUnknown
from order_runtime.process.errors import UnrecoverableError
from order_runtime.process.retry import transient

T = TypeVar("T")

ATTEMPTS_ALONE: Final = 3  # of an item by itself, before it is a suspect
PAUSE_SECONDS: Final = 0.1  # before each further attempt
MAX_UNPROVEN: Final = 3  # causes in a row, with nothing handled: then the service is at fault


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


class Isolation:
    """
    Tells a record at fault from a service at fault; one for each service.

    That anything was handled shows that the service isn't at fault. Until then a few causes are
    taken for the records': a document that is met again is the same cause.
    """

    def __init__(self) -> None:
        self._unproven: set[Hashable] = set()

    async def handle(
        self, items: Sequence[T], handle: Callable[[Sequence[T]], Awaitable[None]]
    ) -> list[tuple[T, Exception]]:
        """Handle *items* as `handle_apart` does; raises EverythingFails, too."""
        suspects = await handle_apart(items, handle)
        if len(suspects) < len(items):
            self._unproven.clear()
        elif suspects:
            self._unproven.update(cause_of(error) for _, error in suspects)
            if len(self._unproven) >= MAX_UNPROVEN:
                raise EverythingFails from suspects[-1][1]
        return suspects


def cause_of(error: Exception) -> Hashable:
    """Return what equals the cause of another error only where both are of one document."""
    if isinstance(error, UnreadableStored):
        return (error.collection, error.facts["document"])
    return object()
