"""A service that stands still for a while: what comes in meanwhile waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from support.stack.running_stack import RunningStack


@contextmanager
def paused(stack: RunningStack, service: str) -> Iterator[None]:
    stack.kill(service, "STOP")
    try:
        yield
    finally:
        stack.kill(service, "CONT")
