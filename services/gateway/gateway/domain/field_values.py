"""The header fields of a request, as RFC 9110 has their values. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

OPTIONAL_WHITESPACE: Final = " \t"
LISTS: Final = frozenset({"accept", "content-encoding", "if-match", "prefer"})
"""Fields that are lists: several lines of one are one list. Of any other field the first counts."""


class FieldValues(Mapping[str, str]):
    """Values by lower-case name; optional whitespace at the ends of a line is no part of it."""

    def __init__(self, lines: Iterable[tuple[str, str]]) -> None:
        """Take the lines in the order in which they were sent."""
        self._lines: dict[str, list[str]] = {}
        for name, value in lines:
            self._lines.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        lines = [line.strip(OPTIONAL_WHITESPACE) for line in self._lines[name]]
        return ", ".join(filter(None, lines)) if name in LISTS else lines[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def untrimmed(self, name: str) -> str | None:
        """Return the first line as it was sent; None where that is the value, or there is none."""
        line = self._lines.get(name, [""])[0]
        return line if line != line.strip(OPTIONAL_WHITESPACE) else None
