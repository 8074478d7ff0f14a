"""Hypothesis strategies for sequences of commands, planned before ids and tags are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial

from hypothesis import strategies as st

from support.model.model import ACTION, DELETE, DELIVERY, REGISTER, REPLACE, STATUS

ORDERS = 2


class TagChoice(Enum):
    """The version that a command names, in If-Match or as an action's versionTag."""

    CURRENT = auto()
    LISTED = auto()
    WEAK = auto()
    FIRST = auto()
    ANY = auto()


class Repetition(Enum):
    """Whether the command repeats a previous one."""

    NO = auto()
    SAME = auto()
    OTHER_CONTENT = auto()
    """Other content under the same id or Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class PlannedCommand:
    kind: str
    order: int
    repetition: Repetition = Repetition.NO
    published: bool = False
    """Published on Kafka instead of posted."""
    version_tag: TagChoice | None = None
    with_key: bool = False
    minute: int | None = None
    """The minute of lastChangedAt."""
    contact_exists: bool = True
    with_action: bool = False
    suppressed: bool = False
    unusual: bool = False
    """Has wrong totals, an externalStatus, or clears a delivery, depending on the kind."""
    wait_until_stored: bool = False
    """Whether the next command is sent after this one is stored."""


def command_sequences() -> st.SearchStrategy[list[PlannedCommand]]:
    """Any sequence that starts with a registration of each order; others would mostly fail."""
    births = [_planned_command().map(partial(_registration, order)) for order in range(ORDERS)]
    rest = st.lists(_planned_command(), min_size=5, max_size=20)
    return st.tuples(st.tuples(*births), rest).map(lambda parts: [*parts[0], *parts[1]])


def _registration(order: int, planned: PlannedCommand) -> PlannedCommand:
    return replace(planned, kind=REGISTER, order=order, repetition=Repetition.NO)


def _planned_command() -> st.SearchStrategy[PlannedCommand]:
    kinds = [STATUS, REPLACE, REGISTER, STATUS, REPLACE, DELIVERY, DELIVERY, DELETE, ACTION]
    return st.builds(
        PlannedCommand,
        kind=st.sampled_from(kinds),
        order=st.integers(0, ORDERS - 1),
        repetition=st.sampled_from(
            [Repetition.NO] * 5 + [Repetition.SAME, Repetition.OTHER_CONTENT]
        ),
        published=st.booleans(),
        version_tag=st.sampled_from([None, None, TagChoice.CURRENT, TagChoice.CURRENT, *TagChoice]),
        with_key=st.booleans(),
        minute=st.none() | st.integers(0, 3),
        contact_exists=st.sampled_from([True, True, False]),
        with_action=st.booleans(),
        suppressed=st.sampled_from([False, False, False, True]),
        unusual=st.booleans(),
        wait_until_stored=st.booleans(),
    )
