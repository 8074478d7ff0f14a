"""Rate limits: requests a second of each API key, counted in each gateway process alone."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Final

from gateway.domain.problem_error import ProblemError
from order_runtime.auth.api_keys import ApiKey

WINDOW: Final = 1.0  # seconds
RESET: Final = "1"
"""Seconds, rounded up, until a request of the last second counts no more."""


class RateLimits:
    """Counts the requests of each key over the last second; refused ones don't count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counted: defaultdict[str, deque[float]] = defaultdict(deque)

    def count(self, key: ApiKey) -> Mapping[str, str]:
        """Count a request; return the RateLimit headers, or raise ProblemError beyond the limit."""
        if key.rate is None:
            return {}
        now, counted = self._clock(), self._counted[key.id]
        while counted and counted[0] <= now - WINDOW:
            counted.popleft()
        allowed = len(counted) < key.rate
        if allowed:
            counted.append(now)
        headers = {
            "RateLimit-Limit": str(key.rate),
            "RateLimit-Remaining": str(max(0, key.rate - len(counted))),
            "RateLimit-Reset": RESET,
        }
        if not allowed:
            raise ProblemError(
                "RateLimited",
                f"This key may ask {key.rate} times a second.",
                headers={**headers, "Retry-After": RESET},
            )
        return headers
