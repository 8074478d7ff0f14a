"""Who may ask how often: so many requests in any second, and a time to come back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.domain.problem_error import ProblemError
from gateway.http.rate_limits import RateLimits
from order_runtime.auth.api_keys import SCOPES, ApiKey

NAMES = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
NOW = datetime(2025, 11, 28, tzinfo=UTC)


def key(rate: int | None, name: str = "shop") -> ApiKey:
    return ApiKey(id=name, name=name, hash="", scopes=SCOPES, rate=rate, created_at=NOW)


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rates(clock: Clock) -> RateLimits:
    return RateLimits(clock)


def asked(rates: RateLimits, of: ApiKey) -> Any:
    """Return the limit, what remains of it and when there is more; and why it is refused."""
    try:
        headers = rates.count(of)
    except ProblemError as error:
        return error.problem.code, *(error.headers[name] for name in (*NAMES, "Retry-After"))
    return tuple(headers[name] for name in NAMES)


def test_a_key_may_ask_as_often_as_its_rate_in_any_second(rates: RateLimits, clock: Clock) -> None:
    """Not in each second of the clock: twice as many would fit around its end."""
    assert asked(rates, key(2)) == ("2", "1", "1")
    clock.now += 0.9
    assert asked(rates, key(2)) == ("2", "0", "1")
    assert asked(rates, key(2)) == ("RateLimited", "2", "0", "1", "1")
    clock.now += 0.1
    assert asked(rates, key(2)) == ("2", "0", "1")
    assert asked(rates, key(2)) == ("RateLimited", "2", "0", "1", "1")
    clock.now += 1
    assert asked(rates, key(2)) == ("2", "1", "1")


def test_a_refused_request_does_not_count(rates: RateLimits, clock: Clock) -> None:
    """Else who asks too often would never be let in again."""
    assert asked(rates, key(1)) == ("1", "0", "1")
    for _ in range(9):
        clock.now += 0.1
        assert asked(rates, key(1)) == ("RateLimited", "1", "0", "1", "1")
    clock.now += 0.2
    assert asked(rates, key(1)) == ("1", "0", "1")


def test_keys_are_counted_apart(rates: RateLimits) -> None:
    assert asked(rates, key(1, "shop")) == ("1", "0", "1")
    assert asked(rates, key(1, "till")) == ("1", "0", "1")
    assert asked(rates, key(1, "shop")) == ("RateLimited", "1", "0", "1", "1")


def test_a_key_without_a_rate_is_not_limited_and_has_no_headers(rates: RateLimits) -> None:
    assert [rates.count(key(None)) for _ in range(1_000)] == [{}] * 1_000


def test_a_rate_that_was_lowered_holds_at_once(rates: RateLimits) -> None:
    for _ in range(10):
        rates.count(key(10))
    assert asked(rates, key(5)) == ("RateLimited", "5", "0", "1", "1")


def test_a_key_with_the_rate_0_may_never_ask(rates: RateLimits) -> None:
    assert asked(rates, key(0)) == ("RateLimited", "0", "0", "1", "1")
