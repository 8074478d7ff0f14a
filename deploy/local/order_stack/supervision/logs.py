"""The logs of a stack, one file a part, merged by time and followed as they grow."""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from order_stack.supervision.log_records import (
    EARLIEST,
    Level,
    LogHead,
    LogRecord,
    LogSelection,
    head_of,
)

INTERVAL: Final = 0.2
LINE_BYTES: Final = 1024 * 1024  # a longer line is taken for several
RECORD_LINES: Final = 1_000  # more lines without a time are several records


class Tail:
    """A growing file: each `read` yields the complete lines since the one before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def read(self) -> Iterator[str]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            while line := file.readline(LINE_BYTES):
                if not line.endswith(b"\n") and len(line) < LINE_BYTES:
                    break
                self._at += len(line)
                yield line.decode(errors="replace").rstrip("\n")


class PartLog:
    """The log of one part: each `read` yields the records since the one before, by time."""

    def __init__(self, part: str, path: Path) -> None:
        self.part = part
        self._tail = Tail(path)
        self._at = EARLIEST
        self._level: Level = "info"

    def read(self) -> Iterator[LogRecord]:
        head: LogHead | None = None
        lines: list[str] = []
        for line in self._tail.read():
            found = head_of(line)
            if lines and (found or len(lines) == RECORD_LINES):
                yield self._record(head, lines)
                head, lines = None, []
            head = found or head
            lines.append(line)
        if lines:
            yield self._record(head, lines)

    def _record(self, head: LogHead | None, lines: Sequence[str]) -> LogRecord:
        """Return a record; without a head it has the time and the level of the one before."""
        if head is not None:
            # Threads write out of order by moments: within a file the order is that of the file.
            self._at, self._level = max(self._at, head.at), head.level
        return LogRecord(self.part, self._at, self._level, tuple(lines), head)


def show(
    logs: Sequence[PartLog],
    wanted: LogSelection,
    write: Callable[[LogRecord], None],
    *,
    tail: int | None,
    goes_on: Callable[[], bool],
) -> None:
    """Write the records, at most the last *tail* of those there are; follow while it *goes_on*."""
    found = filter(wanted.takes, _merged(logs))
    for record in found if tail is None else deque(found, tail):
        write(record)
    follows = goes_on()
    while follows:
        time.sleep(INTERVAL)
        follows = goes_on()  # before the last look, so that nothing written until then is missed
        for record in filter(wanted.takes, _merged(logs)):
            write(record)


def _merged(logs: Sequence[PartLog]) -> Iterator[LogRecord]:
    return heapq.merge(*(it.read() for it in logs), key=lambda record: record.at)
