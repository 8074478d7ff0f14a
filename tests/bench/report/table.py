"""The table of a stage's rounds: medians with their spread, and how ours compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from bench.contender import OURS
from bench.measurements import (
    CPU,
    KAFKA,
    MONGOD,
    P50,
    P99,
    RATE,
    REQUESTS,
    SERVICE,
    Round,
    Spread,
    ratio,
    summary,
)

COLUMNS: Final = {
    RATE: "items/s",
    SERVICE: "service µs",
    MONGOD: "mongod µs",
    CPU: "both µs",
    KAFKA: "broker µs",
    P50: "p50 ms",
    P99: "p99 ms",
    REQUESTS: "requests",
}
RATIOS: Final = {RATE: "rate", CPU: "CPU", P50: "p50", P99: "p99"}
"""The figures by which ours is compared with a peer."""


def table(what: str, rounds: Sequence[Round]) -> str:
    """Return the rows of a stage, each figure as its median and, where it varies, its range."""
    return "\n".join(_aligned(rows_of(what, rounds)))


def rows_of(what: str, rounds: Sequence[Round]) -> list[list[str]]:
    """Return the heading and a row for each contender, with the figures that were measured."""
    columns = [it for it in COLUMNS if any(it in each.figures for each in rounds)]
    return [
        [what, *(COLUMNS[it] for it in columns), "ours to this"],
        *(
            [name, *(_figure(figures.get(it)) for it in columns), comparison(rounds, name)]
            for name, figures in summary(rounds).items()
        ),
    ]


def comparison(rounds: Sequence[Round], peer: str) -> str:
    """Return how ours compares with a peer, as "rate 1.90×, CPU 0.52×"; nothing for ours."""
    if peer == OURS:
        return ""
    found = {name: ratio(rounds, figure, OURS, peer) for figure, name in RATIOS.items()}
    return ", ".join(f"{name} {it.median:.2f}×" for name, it in found.items() if it)


def _figure(spread: Spread | None) -> str:
    if spread is None:
        return ""
    low, high = _number(spread.low), _number(spread.high)
    middle = _number(spread.median)
    return middle if low == high else f"{middle} ({low}–{high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [first.ljust(widths[0]), *map(str.rjust, rest[:-1], widths[1:-1]), rest[-1]]
        yield "  ".join(cells).rstrip()
