"""Signals while a stack goes up or down: asked to stop means undo, and undoing is not cut short."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ASKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Asked(BaseException):
    """Somebody asked this command to stop; not an Exception, so that nothing swallows it."""


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise Asked


@contextmanager
def asking() -> Iterator[None]:
    """Turn the signals that ask a command to stop into `Asked`."""
    before = {number: signal.signal(number, _raise) for number in ASKED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let no impatient second Ctrl-C leave processes behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ASKED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
