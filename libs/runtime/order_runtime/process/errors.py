"""Why a service refuses to go on, in a sentence for whoever operates it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

UNRECOVERABLE_STATUS: Final = 1
"""Exit status where the service refuses to go on, for a reason that an operator can act on."""
BAD_SETTINGS_STATUS: Final = 2
"""Exit status where a setting, or a file that it names, can't be used."""


class UnrecoverableError(Exception):
    """
    The process ends, and would end again after a restart, until an operator changes something.

    The text says what is wrong and holds nobody's data; *facts* are logged beside it.
    """

    status: ClassVar[int] = UNRECOVERABLE_STATUS

    def __init__(self, sentence: str, **facts: str) -> None:
        super().__init__(sentence)
        self.facts = facts


class BadSettings(UnrecoverableError):
    """A file that a setting names can't be used."""

    status = BAD_SETTINGS_STATUS


class RequirementNotMet(UnrecoverableError):
    """Kafka or MongoDB is set otherwise than this service requires."""


class OffsetsLost(UnrecoverableError):
    """What is to be read next isn't in the log; going on would skip records silently."""


class DatabaseBehind(UnrecoverableError):
    """MongoDB lacks the effects of records that were read: it was restored to an earlier time."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors of a task group one by one; any other error alone."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from causes(part)
    else:
        yield error
