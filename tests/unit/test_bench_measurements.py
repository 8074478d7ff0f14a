"""What rounds measured is summed up by medians, their spread, and ratios of rounds side by side."""

from __future__ import annotations

import pytest

from bench.measurements import (
    CPU,
    MONGOD,
    RATE,
    SERVICE,
    Round,
    Spread,
    per_item,
    percentile,
    ratio,
    summary,
)

OURS, PEER = "ordermill", "peer"


def rounds(*rates: tuple[str, float]) -> list[Round]:
    return [Round(name, {RATE: rate}) for name, rate in rates]


def test_a_contender_is_summed_up_by_its_median_and_its_range() -> None:
    seen = rounds((OURS, 30), (PEER, 5), (OURS, 10), (PEER, 7), (OURS, 11), (PEER, 6))

    assert summary(seen) == {
        OURS: {RATE: Spread(11, 10, 30)},
        PEER: {RATE: Spread(6, 5, 7)},
    }


def test_a_ratio_is_that_of_rounds_side_by_side() -> None:
    """The machine was half as fast in the second round: that says nothing about either."""
    seen = rounds((OURS, 40), (PEER, 20), (OURS, 20), (PEER, 10), (OURS, 42), (PEER, 20))

    assert ratio(seen, RATE, OURS, PEER) == Spread(2.0, 2.0, 2.1)


def test_without_a_figure_or_with_a_peer_of_0_there_is_no_ratio() -> None:
    assert ratio(rounds((OURS, 40), (PEER, 0)), RATE, OURS, PEER) is None
    assert ratio(rounds((OURS, 40), (PEER, 20)), CPU, OURS, PEER) is None


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_a_value_that_was_seen(share: float, expected: int) -> None:
    assert percentile(range(100, 0, -1), share) == expected


def test_the_percentile_of_one_value_is_that_one() -> None:
    assert percentile([7.0], 0.99) == 7.0


def test_cpu_is_told_in_microseconds_an_item_and_together() -> None:
    assert per_item({SERVICE: 0.3, MONGOD: 0.1}, 1_000) == pytest.approx(
        {SERVICE: 300, MONGOD: 100, CPU: 400}
    )


def test_what_is_less_than_idle_counts_as_nothing() -> None:
    assert per_item({SERVICE: 0.3, MONGOD: -0.01}, 1_000)[MONGOD] == 0.0
