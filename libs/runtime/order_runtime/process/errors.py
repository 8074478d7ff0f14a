"""Why a service refuses to go on, in a sentence for whoever operates it."""

from __future__ import annotations


class UnrecoverableError(Exception):
    """The process ends; the text says what is wrong and holds nobody's data."""


class RequirementNotMet(UnrecoverableError):
    """Kafka or MongoDB is set otherwise than this service relies on."""


class OffsetsLost(UnrecoverableError):
    """What is to be read next isn't there; going on would skip records in silence."""
