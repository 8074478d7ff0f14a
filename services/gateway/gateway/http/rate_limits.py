"""Rate limits: requests a second of each API key, counted in each gateway process alone."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from functools import cache

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from gateway.domain.problem_error import ProblemError
from order_runtime.auth.api_keys import ApiKey


class RecentRequests(MemoryStorage):
    """
    When each key asked, as the window of limits reads it, at a cost that doesn't grow.

    The one it extends copies its lists and starts a thread each ten milliseconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count *amount* requests unless they exceed *limit* in *expiry* seconds."""
        asked = self._recent(key, expiry)
        if len(asked) + amount > limit:
            return False
        asked.extend([time.time()] * amount)
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002
        """Return when the oldest of the last *expiry* seconds' requests came, and how many came."""
        asked = self._recent(key, expiry)
        return (asked[0], len(asked)) if asked else (time.time(), 0)

    def _recent(self, key: str, expiry: int) -> deque[float]:
        """Return the times of the last *expiry* seconds; none after now, as of a clock set back."""
        asked, now = self._asked[key], time.time()
        while asked and not now - expiry <= asked[0] <= now:
            asked.popleft()
        return asked


class RateLimits:
    """Counts the requests of each key over the last second."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(RecentRequests())

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
