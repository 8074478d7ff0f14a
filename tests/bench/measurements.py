"""What rounds measured, summed up: medians with their spread, and ratios of rounds side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

RATE: Final = "rate"
"""Items a second."""
SERVICE: Final = "service"
"""µs of the measured service's CPU an item."""
MONGOD: Final = "mongod"
"""µs of the database's CPU an item."""
KAFKA: Final = "kafka"
"""µs of the broker's CPU an item."""
CPU: Final = "cpu"
"""µs an item of service and database together."""
P50: Final = "p50"
P99: Final = "p99"
"""Milliseconds."""
REQUESTS: Final = "requests"
"""HTTP requests an item."""


@dataclass(frozen=True, slots=True)
class Round:
    """One contender's figures of one round, by their names above."""

    contender: str
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        seen = sorted(values)
        return cls(median(seen), seen[0], seen[-1])


Summary = Mapping[str, Mapping[str, Spread]]
"""By contender and figure, in the order of the first round."""


def summary(rounds: Sequence[Round]) -> Summary:
    return {
        name: {
            figure: Spread.of(it.figures[figure] for it in rounds if it.contender == name)
            for figure in next(it.figures for it in rounds if it.contender == name)
        }
        for name in dict.fromkeys(it.contender for it in rounds)
    }


def ratio(rounds: Sequence[Round], figure: str, ours: str, peer: str) -> Spread | None:
    """
    Return ours divided by the peer's, round by round: what disturbs a round disturbs both.

    None where one of them lacks the figure, or the peer's is 0.
    """
    pairs = zip(_values(rounds, figure, ours), _values(rounds, figure, peer), strict=False)
    ratios = [mine / theirs for mine, theirs in pairs if theirs]
    return Spread.of(ratios) if ratios else None


def _values(rounds: Iterable[Round], figure: str, contender: str) -> list[float]:
    mine = (it.figures for it in rounds if it.contender == contender)
    return [figures[figure] for figures in mine if figure in figures]


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least *share* of the values don't exceed."""
    ordered = sorted(values)
    rank = -int(-len(ordered) * share // 1)  # rounded up
    return ordered[max(rank, 1) - 1]


def per_item(cpu: Mapping[str, float], count: int) -> dict[str, float]:
    """Return µs an item by process, and service and database together; *cpu* is in seconds."""
    each = {name: max(0.0, seconds) / count * 1e6 for name, seconds in cpu.items()}
    return {**each, CPU: each.get(SERVICE, 0.0) + each.get(MONGOD, 0.0)}
