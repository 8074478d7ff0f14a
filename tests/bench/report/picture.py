"""The picture of the results: what an item costs of CPU, a bar for each contender of a stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

from bench.contender import OURS
from bench.measurements import MONGOD, SERVICE, Spread, summary
from bench.report.results import StageResult

WIDTH: Final = 860
LABELS: Final = 230  # pixels left of the bars
BARS: Final = 470  # pixels of the longest bar
ROW: Final = 22
HEAD: Final = 34
COLORS: Final = {SERVICE: "#2f6f9f", MONGOD: "#7fb069"}
PEER_COLORS: Final = {SERVICE: "#8a8f98", MONGOD: "#c3c7cd"}
STYLE: Final = (
    "text{font-family:sans-serif;font-size:13px;fill:#24292f}"
    ".head{font-weight:600}.small{fill:#57606a}.page{fill:#ffffff}"
)


def picture(stages: Mapping[str, StageResult]) -> str:
    """Return an SVG of the stages whose CPU was measured."""
    shown = {name: it for name, it in stages.items() if SERVICE in it.rounds[0].figures}
    rows, y = list[str](), 40
    for name, result in shown.items():
        rows += _stage(name, result, y)
        y += HEAD + ROW * len(summary(result.rounds)) + 10
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}"'
            f' viewBox="0 0 {WIDTH} {y}" role="img">',
            "<title>µs of CPU an item, by stage and contender</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{y}"/>',
            *_legend(),
            *rows,
            "</svg>",
            "",
        ]
    )


def _legend() -> Iterator[str]:
    yield _text(10, 22, "µs of CPU an item (median; less is better)", "head")
    shown = ((COLORS[SERVICE], "Ordermill's service"), (COLORS[MONGOD], "its mongod"))
    peers = ((PEER_COLORS[SERVICE], "peer"), (PEER_COLORS[MONGOD], "its mongod"))
    for at, (color, what) in enumerate((*shown, *peers)):
        x = 370 + at * 125 + (25 if at else 0)
        yield f'<rect x="{x}" y="12" width="11" height="11" fill="{color}"/>'
        yield _text(x + 16, 22, what, "small")


def _stage(name: str, result: StageResult, top: int) -> Iterator[str]:
    """Yield a stage's heading and bars; each stage has a scale of its own."""
    yield _text(10, top + 20, f"{name}: {result.what}", "head")
    found = summary(result.rounds)
    longest = max(sum(_parts(it).values()) for it in found.values())
    for at, (contender, figures) in enumerate(found.items()):
        yield from _bar(contender, _parts(figures), longest, top + HEAD + at * ROW)


def _parts(figures: Mapping[str, Spread]) -> dict[str, float]:
    return {it: figures[it].median for it in (SERVICE, MONGOD)}


def _bar(contender: str, parts: Mapping[str, float], longest: float, y: int) -> Iterator[str]:
    yield _text(24, y + 13, contender)
    x, colors = float(LABELS), COLORS if contender == OURS else PEER_COLORS
    for name, value in parts.items():
        width = value / longest * BARS
        yield (f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="16" fill="{colors[name]}"/>')
        x += width
    numbers = " + ".join(f"{value:,.0f}" for value in parts.values())
    yield _text(int(x) + 8, y + 13, numbers, "small")


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{style}>{escape(text, quote=False)}</text>'
