"""All consumer groups reset to offset 0: what was handled is handled again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from support.faults.cluster import SERVICES, FaultCluster
from support.laws.history import READS
from support.stack.groups import rewind

CONSUMERS: Final = tuple(f"{service}-{number}" for service in SERVICES[1:] for number in (1, 2))


@contextmanager
def rewound(scene: FaultCluster) -> Iterator[None]:
    """Stop all consumers, and set their groups to the beginning; start them in the end."""
    scene.kill(*CONSUMERS, signal="TERM")
    rewind(scene.stack, READS)
    yield
    scene.start(*CONSUMERS)
