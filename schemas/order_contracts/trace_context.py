"""The header `traceparent` of W3C Trace Context: which trace something belongs to. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Self

_FORMAT: Final = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})",
    re.ASCII,
)
TRACEPARENT: Final = "traceparent"
_NO_VERSION: Final = "ff"
_SAMPLED: Final = 0x01


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span of a trace, as what follows from it names it."""

    trace_id: int
    """128 bits, not 0."""
    span_id: int
    """64 bits, not 0."""
    sampled: bool
    """Whether the span was recorded, and those that follow are to be."""

    @classmethod
    def parsed(cls, header: str | None) -> Self | None:
        """Return what *header* says; None without one, or where it is malformed."""
        found = _FORMAT.fullmatch(header) if header else None
        if found is None or found["version"] == _NO_VERSION:
            return None
        context = cls(
            int(found["trace"], 16),
            int(found["span"], 16),
            bool(int(found["flags"], 16) & _SAMPLED),
        )
        return context if context.trace_id and context.span_id else None

    def header(self) -> str:
        """Return the header, in version 00."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{'01' if self.sampled else '00'}"

    def not_sampled(self) -> Self:
        return replace(self, sampled=False)


def traceparent_in(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """Return the header of a record that may not be readable; None where there is no good one."""
    found = (value for name, value in headers if name.lower() == TRACEPARENT)
    return well_formed((next(found, None) or b"").decode(errors="replace"))


def well_formed(header: str | None) -> str | None:
    """Return *header* if it has the form of a `traceparent`, else None: it may be passed on."""
    return header if header and _FORMAT.fullmatch(header) else None


def trace_id_of(header: str | None) -> str | None:
    """Return the id of the trace as logs name it: 32 hexadecimal digits; None without one."""
    found = _FORMAT.fullmatch(header) if header else None
    return found["trace"] if found else None
