"""Signals: those sent to a part; stop signals, raised while a stack starts, ignored at its end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

Signal = Literal["KILL", "STOP", "CONT", "TERM"]
"""What may be sent to a part."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """A signal asked this command to stop; not an Exception, so that no handler swallows it."""


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise StopRequested


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise StopRequested when a stop signal arrives."""
    before = {number: signal.signal(number, _raise) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ignoring_signals() -> Iterator[None]:
    """Ignore stop signals, so that a second Ctrl-C doesn't leave processes behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
