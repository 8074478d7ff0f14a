"""The guard refuses what costs a quarter more than was committed, measured several times."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.calibration import Calibration, piece_of_work
from bench.guard import confirmed, too_dear, verdicts


@pytest.mark.parametrize(("ratio", "refused"), [(0.9, False), (1.25, False), (1.26, True)])
def test_a_quarter_more_is_allowed(ratio: float, *, refused: bool) -> None:
    assert too_dear(ratio, 1.0) is refused


def test_a_stage_of_which_nothing_is_committed_is_not_refused() -> None:
    assert not too_dear(99.0, None)


def test_what_is_cheap_is_measured_once() -> None:
    measured: Iterator[float] = iter([1.1])

    assert confirmed(lambda: next(measured), 1.0) == 1.1


def test_what_seems_too_dear_is_measured_again() -> None:
    """Another process may have disturbed the first measurement."""
    disturbed, dear = iter([1.4, 1.1]), iter([1.5, 1.4, 1.6, 1.45])

    assert confirmed(lambda: next(disturbed), 1.0) == 1.1
    assert confirmed(lambda: next(dear), 1.0) == 1.4


def test_the_verdict_names_stage_and_ratios() -> None:
    assert verdicts({"store": 1.3, "accept": 1.0}, {"store": 1.0, "accept": 1.0}) == [
        "store        1.3, committed     1.0: too dear",
        "accept       1.0, committed     1.0: ok",
    ]


def test_the_piece_of_work_is_always_the_same() -> None:
    assert piece_of_work() == piece_of_work()


def test_the_calibration_runs_at_least_once() -> None:
    with Calibration() as calibration:
        pass

    assert calibration.seconds > 0
