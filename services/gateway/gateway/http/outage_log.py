"""Says that requests fail because Kafka or MongoDB gives no answer: a line a code, now and then."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from gateway.log_events import REQUESTS_NOT_SERVED
from order_runtime.observability.dependencies import KAFKA, MONGODB, Dependency
from order_runtime.process.logs import log

SAID_AGAIN_SECONDS: Final = 10.0
_MISSING: Final[Mapping[str, Dependency]] = MappingProxyType(
    {"NotAccepted": KAFKA, "OutcomeUnknown": KAFKA, "DatabaseUnavailable": MONGODB}
)


class OutageLog:
    """Takes the codes of refusals; for one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._silent_until: dict[str, float] = {}
        self._unsaid = Counter[str]()

    def __call__(self, code: str) -> None:
        """Log *code* where a dependency is the reason, with how many there were since the last."""
        dependency, now = _MISSING.get(code), self._clock()
        if dependency is None:
            return
        dependency.failed(code)
        self._unsaid[code] += 1
        if now < self._silent_until.get(code, 0.0):
            return
        self._silent_until[code] = now + SAID_AGAIN_SECONDS
        log().warning(
            REQUESTS_NOT_SERVED, code=code, missing=dependency.name, count=self._unsaid.pop(code)
        )


log_outage: Final = OutageLog()
