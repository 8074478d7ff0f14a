"""Actions that were just recorded: sent from memory instead of being read back."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from action_trigger.domain.delivery import ReceivedAction
from order_contracts.order import ActionName


@dataclass(frozen=True, slots=True)
class RecordedAction:
    """An action whose delivery no lane has had yet."""

    action: ReceivedAction
    created_at: datetime
    """The time that its document has."""
    expected_at: datetime
    """Since when its contact may have been erased without our knowledge."""


class RecordedActions:
    """
    The actions of the last batch whose deliveries no lane has taken yet.

    A poll of the database finds a delivery from its insertion on. So their ids are expected before
    they are inserted, and a lane that takes one has it forgotten for good: none is sent from both
    places, also where an insertion is tried again.
    """

    def __init__(self) -> None:
        self._expected: dict[str, datetime] = {}
        self._recorded: dict[str, RecordedAction] = {}

    def expect(self, ids: Iterable[str], now: datetime) -> None:
        """Prepare for a batch that is about to be inserted, at once or in parts."""
        self._expected = dict.fromkeys(ids, now)

    def add(self, actions: Collection[ReceivedAction], created_at: datetime) -> bool:
        """Keep those that no lane has taken; return whether some were left before."""
        some_left = bool(self._recorded)
        self._recorded = {
            it.action_id: RecordedAction(it, created_at, expected_at)
            for it in actions
            if (expected_at := self._expected.pop(it.action_id, None)) is not None
        }
        return some_left

    def forget(self, action_id: str) -> None:
        """A lane has taken this one."""
        self._expected.pop(action_id, None)
        self._recorded.pop(action_id, None)

    def take(self, names: Collection[ActionName]) -> list[RecordedAction]:
        """Remove and return those of these actions."""
        taken = [it for it in self._recorded.values() if it.action.action in names]
        for it in taken:
            del self._recorded[it.action.action_id]
        return taken
