"""A fault as a value: its name, how it begins and ends, and when one waits for recovery."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from support.faults.cluster import FaultCluster


class NotInjected(Exception):
    """The machine doesn't permit this fault; the message says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    inject: Callable[[FaultCluster], AbstractContextManager[None]]
    """Breaks when it is entered, mends when it is left; may raise NotInjected before it breaks."""
    seconds: float = 0.0
    """How long it lasts."""
    recovers_during: bool = False
    """Whether the system recovers while it lasts: of several, one was killed. Else from its end."""
    recovery: float = 300.0
    """Seconds until all is well again, at most."""
    once: bool = False
    """Whether once in a run is enough: what it leaves is read and compared whole at the end."""
