"""A reset of all consumer groups to offset 0: all records are handled again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from support.faults.cluster import SERVICES, FaultCluster
from support.history.quiescence import CONSUMED_TOPICS
from support.stack.consumer_groups import reset_to_beginning

CONSUMERS: Final = tuple(f"{service}-{number}" for service in SERVICES[1:] for number in (1, 2))


@contextmanager
def all_groups_reset(cluster: FaultCluster) -> Iterator[None]:
    """Stop all consumers and reset their groups to offset 0 on entry; start them on exit."""
    cluster.kill(*CONSUMERS, signal="TERM")
    reset_to_beginning(cluster.stack, CONSUMED_TOPICS)
    yield
    cluster.start(*CONSUMERS)
