"""Records of a topic as plain values. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record of the log; `at` is its append time in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    at: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    readable: bool = True
    """False: no client can read its headers, or anything of its batch."""
    first_offset: int | None = None
    """The first offset of an unreadable batch, which is one record with the last offset."""

    @property
    def position(self) -> str:
        first = self.offset if self.first_offset is None else self.first_offset
        return f"{self.topic}/{self.partition}@{first}"

    @property
    def name(self) -> str | None:
        """The key as text; None without a key."""
        return None if self.key is None else self.key.decode(errors="replace")

    def header(self, name: str) -> str | None:
        """Return the first header of that name as text."""
        found = next((value for spelt, value in self.headers if spelt == name), None)
        return None if found is None else found.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.value or b"null")


def in_log_order(records: Iterable[LogRecord]) -> list[LogRecord]:
    return sorted(records, key=lambda it: (it.partition, it.offset))
