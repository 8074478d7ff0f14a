"""
Kafka and MongoDB as this process finds them: whether they answer, and since when they don't.

Whoever meets a failure says so (`failed`); a watch asks every few seconds (`answered`). The log
has a line when one is away, another every minute, and one when it is back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from order_runtime.observability import metrics
from order_runtime.process.log_events import (
    DATABASE_IS_BACK,
    KAFKA_IS_BACK,
    WAITING_FOR_DATABASE,
    WAITING_FOR_KAFKA,
    LogEvent,
)
from order_runtime.process.logs import log

SAID_AGAIN_SECONDS: Final = 60.0
SETTLED_SECONDS: Final = 5.0
"""Without a failure for so long, an answer means that it is back: a broker may answer while the
leader that is needed does not."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Since when a dependency is away."""

    since: datetime
    seconds: int


class Dependency:
    """One of them; for all threads of the process."""

    def __init__(
        self,
        name: str,
        waiting: LogEvent,
        back: LogEvent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._waiting, self._back, self._clock = waiting, back, clock
        self._lock = threading.Lock()
        self._away_since: float | None = None
        self._failed_at = self._said_at = 0.0
        self._answers_since: float | None = None
        metrics.DEPENDENCY_UP.labels(name)
        metrics.DEPENDENCY_CHANGED.labels(name)

    def failed(self, reason: str) -> None:
        """Note that it gave no answer; *reason* is the error's kind, never its text."""
        now = self._clock()
        with self._lock:
            self._failed_at = now
            begins = self._away_since is None
            if begins:
                self._away_since, self._answers_since = now, None
                self._show(up=False)
            if not begins and now - self._said_at < SAID_AGAIN_SECONDS:
                return
            self._said_at = now
            since = self._away_since or now
        log().warning(self._waiting, error=reason, away_seconds=round(now - since))

    def answered(self) -> None:
        """Note that it answers; it is back once nothing has failed for SETTLED_SECONDS."""
        now = self._clock()
        with self._lock:
            since = self._away_since
            if self._answers_since is not None or (
                since is not None and now - self._failed_at < SETTLED_SECONDS
            ):
                return
            self._away_since, self._answers_since = None, now
            self._show(up=True)
        if since is not None:
            log().warning(self._back, after_seconds=round(now - since))

    def outage(self) -> Outage | None:
        """Return since when it is away; None where it isn't known to be."""
        since = self._away_since
        if since is None:
            return None
        seconds = self._clock() - since
        return Outage(datetime.fromtimestamp(time.time() - seconds, UTC), round(seconds))

    def answers_for(self) -> float:
        """Return for how many seconds it has answered without a failure; 0 where it doesn't."""
        since = self._answers_since
        return 0.0 if since is None else self._clock() - since

    def _show(self, *, up: bool) -> None:
        metrics.DEPENDENCY_UP.labels(self.name).set(up)
        metrics.DEPENDENCY_CHANGED.labels(self.name).set(time.time())


KAFKA: Final = Dependency("kafka", WAITING_FOR_KAFKA, KAFKA_IS_BACK)
MONGODB: Final = Dependency("mongodb", WAITING_FOR_DATABASE, DATABASE_IS_BACK)
DEPENDENCIES: Final = (KAFKA, MONGODB)
