"""Everything that is broken on purpose, by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from support.faults.cluster import FaultCluster
from support.faults.fault import Fault
from support.faults.network import OF_DISK, OF_NETWORK
from support.faults.processes import OF_BROKERS, OF_MONGODS, OF_SERVICES
from support.faults.records import OF_RECORDS


@contextmanager
def nothing(_: FaultCluster) -> Iterator[None]:
    """What recovery takes where there is nothing to recover from."""
    yield


MATRIX: Final = (
    Fault("nothing", nothing),
    *OF_SERVICES,
    *OF_BROKERS,
    *OF_MONGODS,
    *OF_NETWORK,
    *OF_DISK,
    *OF_RECORDS,
)
