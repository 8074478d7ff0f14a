"""Sequences of commands on a few orders, described before any id or tag is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial

from hypothesis import strategies as st

from support.model.model import ACTION, DELETE, DELIVERY, REGISTER, REPLACE, STATUS

ORDERS = 2


class TagChoice(Enum):
    """Which version a command names, in If-Match or as an action's versionTag."""

    CURRENT = auto()
    LISTED = auto()
    WEAK = auto()
    FIRST = auto()
    ANY = auto()


class Repetition(Enum):
    """Whether a command that was sent before is sent again."""

    NO = auto()
    SAME = auto()
    OTHER_CONTENT = auto()
    """Something else under the same id or the same Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class PlannedCommand:
    kind: str
    order: int
    again: Repetition = Repetition.NO
    direct: bool = False
    """Published to Kafka rather than posted."""
    version_tag: TagChoice | None = None
    keyed: bool = False
    minute: int | None = None
    """Of lastChangedAt."""
    known_contact: bool = True
    acts: bool = False
    suppressed: bool = False
    odd: bool = False
    """Totals that don't add up, an externalStatus, a delivery that is cleared."""
    waits: bool = False
    """Whether the next move comes after this one is stored."""


def command_sequences() -> st.SearchStrategy[list[PlannedCommand]]:
    """Any moves, but each order is registered first: else most would meet no order."""
    births = [_planned_command().map(partial(_registration, order)) for order in range(ORDERS)]
    rest = st.lists(_planned_command(), min_size=5, max_size=20)
    return st.tuples(st.tuples(*births), rest).map(lambda parts: [*parts[0], *parts[1]])


def _registration(order: int, move: PlannedCommand) -> PlannedCommand:
    return replace(move, kind=REGISTER, order=order, again=Repetition.NO)


def _planned_command() -> st.SearchStrategy[PlannedCommand]:
    kinds = [STATUS, REPLACE, REGISTER, STATUS, REPLACE, DELIVERY, DELIVERY, DELETE, ACTION]
    return st.builds(
        PlannedCommand,
        kind=st.sampled_from(kinds),
        order=st.integers(0, ORDERS - 1),
        again=st.sampled_from([Repetition.NO] * 5 + [Repetition.SAME, Repetition.OTHER_CONTENT]),
        direct=st.booleans(),
        version_tag=st.sampled_from([None, None, TagChoice.CURRENT, TagChoice.CURRENT, *TagChoice]),
        keyed=st.booleans(),
        minute=st.none() | st.integers(0, 3),
        known_contact=st.sampled_from([True, True, False]),
        acts=st.booleans(),
        suppressed=st.sampled_from([False, False, False, True]),
        odd=st.booleans(),
        waits=st.booleans(),
    )
