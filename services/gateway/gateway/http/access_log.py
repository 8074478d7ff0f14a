"""The access log: a line for each request, written by a thread that no request waits for."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import BinaryIO, Final, Self

import orjson

from gateway import log_events, metrics
from order_runtime.process.logs import log

WRITE_SECONDS: Final = 0.2
"""How long a line may wait for those that follow it."""
MAX_LINES: Final = 100_000
"""Lines in memory while nobody reads what is written; further ones are counted as lost."""
END_SECONDS: Final = 5.0
"""How long the end of the process waits for who reads the lines."""
_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE


class AccessLog:
    """
    Writes lines while it is entered; all of them, once it is left.

    *process* is what each line says of the process. Nothing is written where the level of the logs
    leaves out what is no warning.
    """

    def __init__(self, out: BinaryIO, process: Mapping[str, str]) -> None:
        self._out = out
        self._process = {**process, "level": "info"}
        self._lines: deque[bytes] = deque()
        self._wanted = log().is_enabled_for(logging.INFO)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join(END_SECONDS)

    def add(self, facts: Mapping[str, object]) -> None:
        """Add the line of a request; never waits."""
        if not self._wanted:
            return
        if len(self._lines) >= MAX_LINES:
            metrics.LOG_LINES_LOST.inc()
            return
        end = {"event": log_events.REQUEST, **self._process, "timestamp": datetime.now(UTC)}
        self._lines.append(orjson.dumps({**facts, **end}, option=_OPTIONS))

    def _run(self) -> None:
        while not self._end.wait(WRITE_SECONDS):
            self._write()
        self._write()

    def _write(self) -> None:
        """Write what has been added; lines are added meanwhile, and are for the next time."""
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        try:
            self._out.write(b"".join(lines))
            self._out.flush()
        except OSError:  # whoever read them is gone
            metrics.LOG_LINES_LOST.inc(len(lines))
