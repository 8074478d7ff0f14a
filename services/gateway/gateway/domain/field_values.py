"""The header fields of a request, as RFC 9110 has their values. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

OPTIONAL_WHITESPACE: Final = " \t"
LISTS: Final = frozenset({"accept", "content-encoding", "if-match", "prefer"})
"""Fields that are lists: several lines of one are one list. Of any other field the first counts."""


class FieldValues(dict[str, str]):
    """Values by lower-case name; optional whitespace at the ends of a line is no part of it."""

    def __init__(self, lines: Iterable[tuple[bytes, bytes]]) -> None:
        """Take the lines, which are Latin-1, in the order in which they were sent."""
        super().__init__()
        self._untrimmed: dict[str, str] = {}
        for sent_name, sent_line in lines:
            name, line = sent_name.decode("latin-1").lower(), sent_line.decode("latin-1")
            value = line.strip(OPTIONAL_WHITESPACE)
            if name not in self:
                self[name] = value
                if value != line:
                    self._untrimmed[name] = line
            elif name in LISTS:
                self[name] = ", ".join(filter(None, (self[name], value)))

    def untrimmed(self, name: str) -> str | None:
        """Return the first line as it was sent; None where that is the value, or there is none."""
        return self._untrimmed.get(name)
