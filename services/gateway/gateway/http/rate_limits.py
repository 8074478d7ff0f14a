"""Rate limits: requests a second of each API key, counted in each gateway process alone."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from functools import cache

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from gateway.domain.problem_error import ProblemError
from order_runtime.auth.api_keys import ApiKey


class RateLimits:
    """Counts the requests of each key over the last second."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count(self, key: ApiKey) -> Mapping[str, str]:
        """Count a request; return the RateLimit headers, or raise ProblemError beyond the limit."""
        if key.rate is None:
            return {}
        item = _per_second(key.rate)
        allowed = self._limiter.hit(item, key.id)
        window = self._limiter.get_window_stats(item, key.id)
        reset = max(0, math.ceil(window.reset_time - time.time()))
        headers = {
            "RateLimit-Limit": str(key.rate),
            "RateLimit-Remaining": str(max(0, window.remaining)),
            "RateLimit-Reset": str(reset),
        }
        if not allowed:
            raise ProblemError(
                "RateLimited",
                f"This key may ask {key.rate} times a second.",
                headers={**headers, "Retry-After": str(max(1, reset))},
            )
        return headers


@cache
def _per_second(rate: int) -> RateLimitItem:
    return RateLimitItemPerSecond(rate)
