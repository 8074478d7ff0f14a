"""A fault as a value: name, injection, duration, and when recovery is expected."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from support.faults.cluster import FaultCluster


class NotInjected(Exception):
    """The machine doesn't permit this fault; the message has the reason."""


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    inject: Callable[[FaultCluster], AbstractContextManager[None]]
    """Injects on entry, ends the fault on exit; may raise NotInjected on entry."""
    seconds: float = 0.0
    """Duration."""
    recovers_during: bool = False
    """Whether the system must recover while the fault lasts, because other instances are left."""
    recovery: float = 300.0
    """Seconds in which the system must recover."""
    once: bool = False
    """Whether it is injected once per run, because it leaves a lot of data to check at the end."""
