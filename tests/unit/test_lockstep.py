"""Steps are done side by side; results come in the order of the works."""

from __future__ import annotations

import pytest

from order_writer.domain.lockstep import Steps, in_lockstep


def work(name: str, steps: int, done: list[str]) -> Steps[str]:
    for step in range(steps):
        done.append(f"{name}{step}")
        yield
    return name


def test_each_step_is_done_for_all_before_the_next_one() -> None:
    done: list[str] = []
    results = in_lockstep([work("a", 2, done), work("b", 0, done), work("c", 3, done)])
    assert results == ["a", "b", "c"]
    assert done == ["a0", "c0", "a1", "c1", "c2"]


def test_what_a_work_raises_is_raised() -> None:
    def fails() -> Steps[str]:
        yield
        raise ValueError("in its second step")

    with pytest.raises(ValueError, match="in its second step"):
        in_lockstep([work("a", 1, []), fails()])


def test_no_work_has_no_results() -> None:
    assert in_lockstep([]) == []
