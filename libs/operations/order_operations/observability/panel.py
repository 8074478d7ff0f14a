"""A panel of a dashboard as data: what it shows, in which unit, by which queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["short", "s", "reqps", "ops", "percentunit", "bytes", "dateTimeFromNow"]
Kind = Literal["timeseries", "stat"]
RATE = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Query:
    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    description: str
    """What it means, and what is usual; shown at the panel."""
    queries: tuple[Query, ...]
    unit: Unit = "short"
    kind: Kind = "timeseries"


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    uid: str
    title: str
    rows: tuple[Row, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for row in self.rows for panel in row.panels)


def rate(metric: str, by: str, where: str = "") -> str:
    """Return a counter's increase a second, summed by labels."""
    return f"sum by ({by}) (rate({metric}{{{where}}}[{RATE}]))"


def quantiles(metric: str, where: str = "", by: str = "") -> tuple[Query, ...]:
    """Return the median, the 95th and the 99th percentile of a histogram."""
    labels = f"le, {by}" if by else "le"
    legend = f" {{{{{by}}}}}" if by else ""
    buckets = f"sum by ({labels}) (rate({metric}_bucket{{{where}}}[{RATE}]))"
    return tuple(
        Query(f"histogram_quantile({share}, {buckets})", f"p{name}{legend}")
        for share, name in ((0.5, "50"), (0.95, "95"), (0.99, "99"))
    )
