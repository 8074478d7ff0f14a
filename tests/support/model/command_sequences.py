"""Sequences of commands on a few orders, described before any id or tag is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial

from hypothesis import strategies as st

from support.model.model import ACTION, DELETE, DELIVERY, REGISTER, REPLACE, STATUS

ORDERS = 2


class Tag(Enum):
    """Which version a command names, in If-Match or as an action's versionTag."""

    CURRENT = auto()
    LISTED = auto()
    WEAK = auto()
    FIRST = auto()
    ANY = auto()


class Again(Enum):
    """Whether a command that was sent before is sent again."""

    NO = auto()
    SAME = auto()
    OTHER_CONTENT = auto()
    """Something else under the same id or the same Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class Move:
    kind: str
    order: int
    again: Again = Again.NO
    direct: bool = False
    """Published to Kafka rather than posted."""
    tag: Tag | None = None
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


def moves() -> st.SearchStrategy[list[Move]]:
    """Any moves, but each order is registered first: else most would meet no order."""
    births = [_move().map(partial(_birth, order)) for order in range(ORDERS)]
    rest = st.lists(_move(), min_size=5, max_size=20)
    return st.tuples(st.tuples(*births), rest).map(lambda parts: [*parts[0], *parts[1]])


def _birth(order: int, move: Move) -> Move:
    return replace(move, kind=REGISTER, order=order, again=Again.NO)


def _move() -> st.SearchStrategy[Move]:
    kinds = [STATUS, REPLACE, REGISTER, STATUS, REPLACE, DELIVERY, DELIVERY, DELETE, ACTION]
    return st.builds(
        Move,
        kind=st.sampled_from(kinds),
        order=st.integers(0, ORDERS - 1),
        again=st.sampled_from([Again.NO] * 5 + [Again.SAME, Again.OTHER_CONTENT]),
        direct=st.booleans(),
        tag=st.sampled_from([None, None, Tag.CURRENT, Tag.CURRENT, *Tag]),
        keyed=st.booleans(),
        minute=st.none() | st.integers(0, 3),
        known_contact=st.sampled_from([True, True, False]),
        acts=st.booleans(),
        suppressed=st.sampled_from([False, False, False, True]),
        odd=st.booleans(),
        waits=st.booleans(),
    )
