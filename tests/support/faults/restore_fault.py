"""MongoDB is restored from a backup, as docs/operating.md tells an operator to do it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo import MongoClient

from support.builders.bodies import Json
from support.faults.cluster import FaultCluster
from support.faults.fault import Fault
from support.faults.offset_reset import CONSUMERS
from support.history.journal import RESTORE
from support.stack.running_stack import RunningStack
from support.stack.wait import until

LOST_SECONDS = 15.0  # between the backup and the restore


@contextmanager
def restored_from_a_backup(cluster: FaultCluster) -> Iterator[None]:
    """Back up, go on, and restore on entry, with the consumers stopped; start them on exit."""
    stack, backup = cluster.stack, f"{cluster.stack.database}-backup"
    cluster.kill(*CONSUMERS, signal="TERM")
    copy_database(stack, stack.database, backup)
    cluster.start(*CONSUMERS)
    cluster.wait(LOST_SECONDS)
    cluster.kill(*CONSUMERS, signal="TERM")
    copy_database(stack, backup, stack.database)
    until(lambda: _offsets_applied(stack), seconds=60, of="the offsets are set back")
    yield
    cluster.start(*CONSUMERS)


def copy_database(stack: RunningStack, source: str, target: str) -> None:
    """Copy all collections on the server; indexes of the target stay."""
    with MongoClient[Json](stack.mongo) as client:
        for name in client[source].list_collection_names():
            client[source][name].aggregate([{"$out": {"db": target, "coll": name}}])


def _offsets_applied(stack: RunningStack) -> bool:
    """Set the offsets, unless a member of a group isn't gone yet."""
    return stack.orders("offsets", "apply", check=False).returncode == 0


RESTORE_FAULTS = (Fault(f"{RESTORE} from a backup", restored_from_a_backup, once=True),)
