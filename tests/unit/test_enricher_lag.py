"""The enricher isn't behind if what is older than a time is committed, however much came since."""

import pytest

from enricher.adapters.consumer_lag import is_past

PLACE = ("orders.events", 0)


@pytest.mark.parametrize(
    ("committed", "later", "end", "through"),
    [
        pytest.param(10, -1, 10, True, id="at-the-end"),
        pytest.param(9, -1, 10, False, id="one-left-and-it-is-old"),
        pytest.param(7, 7, 10, True, id="what-is-left-is-young"),
        pytest.param(6, 7, 10, False, id="one-of-those-left-is-old"),
        pytest.param(None, -1, 0, True, id="never-had-a-record"),
        pytest.param(None, -1, 3, False, id="never-committed"),
    ],
)
def test_the_age_of_what_is_left_decides(
    committed: int | None, later: int, end: int, through: bool
) -> None:
    known = {} if committed is None else {PLACE: committed}
    assert is_past(known, {PLACE: later}, {PLACE: end}) is through


def test_one_partition_that_is_behind_is_enough() -> None:
    other = ("orders.events", 1)

    assert not is_past({PLACE: 5, other: 0}, {PLACE: -1, other: -1}, {PLACE: 5, other: 5})
