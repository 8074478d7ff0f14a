"""Long work on the event loop gives way: at length to who has something to do, else not."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.http import turns
from gateway.http.turns import OTHERS_SECONDS, TURN_SECONDS, Turns


class Slept(list[float]):
    """Stands for asyncio.sleep: *others* work so long meanwhile."""

    def __init__(self, clock: list[float], others: float) -> None:
        super().__init__()
        self._clock, self._others = clock, others

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        self._clock[0] += self._others


@pytest.mark.parametrize(
    ("worked", "others", "slept"),
    [
        (TURN_SECONDS / 2, 1.0, []),
        (TURN_SECONDS * 2, 0.0, [0]),
        (TURN_SECONDS * 2, OTHERS_SECONDS * 2, [0, turns.REST_SECONDS]),
    ],
    ids=["too short a turn", "nobody else", "others"],
)
async def test_a_turn_ends_for_others(
    monkeypatch: pytest.MonkeyPatch, worked: float, others: float, slept: list[float]
) -> None:
    clock = [5.0]
    sleep = Slept(clock, others)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(asyncio, "sleep", sleep)
    turn = Turns()
    clock[0] += worked
    await turn.give_way()
    assert sleep == slept
