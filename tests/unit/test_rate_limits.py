"""The window of a rate limit: of the last second, whatever the clock does."""

from __future__ import annotations

import time

import pytest

from gateway.http.rate_limits import RecentRequests


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def test_a_window_holds_the_last_second(clock: list[float]) -> None:
    requests = RecentRequests()
    assert [requests.acquire_entry("k", 2, 1) for _ in range(3)] == [True, True, False]
    assert requests.get_moving_window("k", 2, 1) == (1_000.0, 2)
    assert requests.acquire_entry("another", 2, 1)
    clock[0] += 1.1
    assert requests.get_moving_window("k", 2, 1) == (clock[0], 0)
    assert requests.acquire_entry("k", 2, 1)


def test_a_clock_that_is_set_back_blocks_nobody(clock: list[float]) -> None:
    requests = RecentRequests()
    assert [requests.acquire_entry("k", 2, 1) for _ in range(3)] == [True, True, False]
    clock[0] -= 3_600
    assert requests.acquire_entry("k", 2, 1)
