"""Why a service refuses to go on, in a sentence for whoever operates it."""

from __future__ import annotations


class UnrecoverableError(Exception):
    """
    The process ends, and would end again after a restart, until an operator changes something.

    The text says what is wrong and holds nobody's data; *facts* are logged beside it.
    """

    def __init__(self, sentence: str, **facts: str) -> None:
        super().__init__(sentence)
        self.facts = facts


class RequirementNotMet(UnrecoverableError):
    """Kafka or MongoDB is set otherwise than this service requires."""


class OffsetsLost(UnrecoverableError):
    """What is to be read next isn't in the log; going on would skip records silently."""


class DatabaseBehind(UnrecoverableError):
    """MongoDB lacks the effects of records that were read: it was restored to an earlier time."""
