"""All faults that the nemesis injects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from support.faults.cluster import FaultCluster
from support.faults.fault import Fault
from support.faults.forged_records import FORGERY_FAULTS
from support.faults.network_faults import DISK_FAULTS, NETWORK_FAULTS
from support.faults.process_faults import BROKER_FAULTS, MONGOD_FAULTS, SERVICE_FAULTS
from support.faults.publisher_faults import PUBLISHER_FAULTS
from support.faults.restore_fault import RESTORE_FAULTS
from support.faults.unreadable_records import UNREADABLE_FAULTS


@contextmanager
def nothing(_: FaultCluster) -> Iterator[None]:
    """Inject nothing: the baseline for the recovery times."""
    yield


MATRIX: Final = (
    Fault("nothing", nothing),
    *SERVICE_FAULTS,
    *BROKER_FAULTS,
    *MONGOD_FAULTS,
    *NETWORK_FAULTS,
    *DISK_FAULTS,
    *PUBLISHER_FAULTS,
    *FORGERY_FAULTS,
    *UNREADABLE_FAULTS,
    *RESTORE_FAULTS,
)
