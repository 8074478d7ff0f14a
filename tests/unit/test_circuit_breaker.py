"""The circuit breaker of an endpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from action_trigger.domain.circuit_breaker import CLOSED, PROBE_EVERY, THRESHOLD, Circuit

NOW = datetime(2025, 12, 1, 12, tzinfo=UTC)


def failing(times: int, circuit: Circuit = CLOSED, now: datetime = NOW) -> Circuit:
    for _ in range(times):
        circuit = circuit.after(success=False, now=now)
    return circuit


def test_a_few_failures_leave_it_closed() -> None:
    assert failing(THRESHOLD - 1).waits_until(NOW) is None
    assert not failing(THRESHOLD - 1).is_open
    assert not CLOSED.is_open


def test_many_in_a_row_open_it_until_the_first_probe() -> None:
    assert failing(THRESHOLD).is_open
    assert failing(THRESHOLD).waits_until(NOW) == NOW + PROBE_EVERY
    assert failing(THRESHOLD).waits_until(NOW + PROBE_EVERY) is None
    assert failing(THRESHOLD).is_open


def test_ten_failures_open_it_and_it_is_probed_every_thirty_seconds() -> None:
    assert not failing(9).is_open
    assert failing(10).waits_until(NOW) == NOW + timedelta(seconds=30)


def test_a_success_in_between_starts_the_count_anew() -> None:
    once = failing(THRESHOLD - 1).after(success=True, now=NOW)
    assert failing(THRESHOLD - 1, once).waits_until(NOW) is None


def test_a_probe_that_fails_keeps_it_open_and_one_that_succeeds_closes_it() -> None:
    later = NOW + PROBE_EVERY + timedelta(seconds=1)
    opened = failing(THRESHOLD)
    assert failing(1, opened, later).waits_until(later) == later + PROBE_EVERY
    assert opened.after(success=True, now=later) == CLOSED
