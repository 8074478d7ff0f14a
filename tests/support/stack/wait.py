"""Polling for a condition with a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T | None], *, seconds: float = 30, of: str = "") -> T:
    """Return the first truthy result of *look*; fails with the last one after *seconds*."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {of or look}; last seen {seen!r}")
        time.sleep(0.05)
    return seen
