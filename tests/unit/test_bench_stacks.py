"""Sampled stacks are summed up by function: its own samples, and those of all it calls."""

from __future__ import annotations

import pytest

from bench.stacks import Share, shares

STACKS = ["main;serve;read 30", "main;serve 10", "main;wait 60"]


def test_functions_are_ranked_by_what_they_cost_themselves() -> None:
    assert shares(STACKS) == [
        Share("wait", 0.6, 0.6),
        Share("read", 0.3, 0.3),
        Share("serve", 0.1, 0.4),
        Share("main", 0.0, 1.0),
    ]


def test_a_function_that_calls_itself_is_counted_once() -> None:
    assert shares(["main;walk;walk;walk 4"])[0] == Share("walk", 1.0, 1.0)


@pytest.mark.parametrize("lines", [[], [""]])
def test_without_samples_there_are_no_shares(lines: list[str]) -> None:
    assert shares(lines) == []


def test_a_name_may_hold_blanks() -> None:
    assert shares(["main;operator() (a.cpp) 2"])[0].function == "operator() (a.cpp)"
