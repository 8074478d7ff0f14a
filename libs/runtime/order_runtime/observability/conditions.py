"""What this process meets that nobody else sees: files that it refuses, clients, missing rights."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from order_runtime.documents.instances import Condition

MAX_CONDITIONS: Final = 20
FORGOTTEN_AFTER: Final = timedelta(minutes=2)
"""How long something that happened is reported after it last did."""


def _now() -> datetime:
    return datetime.now(UTC)


class Conditions:
    """
    The conditions of a process, for all of its threads; a heartbeat stores them.

    At most MAX_CONDITIONS are kept: others wait until one of them is over.
    """

    def __init__(self, clock: Callable[[], datetime] = _now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], Condition] = {}

    def begins(self, code: str, subject: str = "", detail: str = "") -> None:
        """Note what lasts until it `ends`; said again it keeps the time at which it began."""
        now = self._clock()
        with self._lock:
            known = self._found.get((code, subject))
            self._keep(replace(known or Condition(code, subject, now), detail=detail))

    def ends(self, code: str, subject: str = "") -> None:
        with self._lock:
            self._found.pop((code, subject), None)

    def happened(self, code: str, subject: str) -> None:
        """Count what may happen again; it is forgotten FORGOTTEN_AFTER it last did."""
        now = self._clock()
        with self._lock:
            self._forget(now)
            known = self._found.get((code, subject), Condition(code, subject, now))
            self._keep(replace(known, count=(known.count or 0) + 1, last_at=now))

    def current(self) -> list[Condition]:
        with self._lock:
            self._forget(self._clock())
            return list(self._found.values())

    def _keep(self, condition: Condition) -> None:
        key = condition.code, condition.subject
        if key in self._found or len(self._found) < MAX_CONDITIONS:
            self._found[key] = condition

    def _forget(self, now: datetime) -> None:
        over = [
            key
            for key, it in self._found.items()
            if it.last_at is not None and now - it.last_at > FORGOTTEN_AFTER
        ]
        for key in over:
            del self._found[key]


CONDITIONS: Final = Conditions()
