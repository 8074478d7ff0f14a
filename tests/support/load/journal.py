"""
What the load did, as it saw it itself: each call with its answer, each publication, each fault.

Load generators and whoever injects faults write here; `history.collect` adds what the system made
of it. Times are seconds since 1970, by this machine's clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from support.builders.bodies import Json

MARK = "test-publication"
"""A header by which a publication is found in the log, acknowledged or not; no service reads it."""


@dataclass(slots=True)
class Call:
    """One write over HTTP. The gateway hands its trace on to the commands that it publishes."""

    trace: str
    kind: str
    order_ids: tuple[str, ...]
    """The order, or those of a bulk request: each once."""
    sent_at: float
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    status: int | None = None
    """None: the connection broke, or nobody answered in time."""
    answer: Json = field(default_factory=dict)


@dataclass(slots=True)
class Publication:
    """One record that another system published; `place` is known once Kafka acknowledged it."""

    mark: str
    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    sent_at: float
    place: tuple[int, int] | None = None


@dataclass(slots=True)
class Fault:
    """Something that was broken on purpose, from when to when."""

    name: str
    began: float
    ended: float | None = None
    """None: not mended yet. Of a kill: when the part was there again."""


@dataclass(slots=True)
class Journal:
    calls: list[Call] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """Note a fault that lasts as long as the body."""
        it = Fault(name, time.time())
        self.faults.append(it)
        try:
            yield
        finally:
            it.ended = time.time()
