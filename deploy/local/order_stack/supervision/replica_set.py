"""Initiates the replica set of a stack's mongods while they start."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from pymongo.errors import OperationFailure, PyMongoError

from order_operations.connections.mongo_client import connect
from order_stack.cluster.mongo_servers import REPLICA_SET, ReplicaSetMember
from order_stack.cluster.parts import Part
from order_stack.problems import StackProblem
from order_stack.supervision.probes import INTERVAL, stopped_while_starting
from order_stack.supervision.processes import find

START_SECONDS = 30.0
REQUEST_SECONDS = 10.0
UNAUTHORIZED = 13
ALREADY_INITIALIZED = 23
NODE_NOT_FOUND = 74  # a member doesn't answer yet
INITIATED = (ALREADY_INITIALIZED, UNAUTHORIZED)  # there are users, which came after it
ELECTION_MS = 2_000  # without a primary before an election; MongoDB's default suits networks


def initiate(parts: Sequence[Part], members: Sequence[ReplicaSetMember], folder: Path) -> None:
    """Initiate the replica set and return when it is; an initiated one stays as it is."""
    deadline = time.monotonic() + START_SECONDS
    while not _initiated(members, parts[0].log):
        for part in parts:
            if find(part, folder) is None:
                raise stopped_while_starting(part)
        if time.monotonic() > deadline:
            raise StackProblem(
                f"MongoDB did not answer within {START_SECONDS:.0f} s; its log says why: "
                f"{parts[0].log}"
            )
        time.sleep(INTERVAL)


def _initiated(members: Sequence[ReplicaSetMember], log: str) -> bool:
    """Send the configuration to the first member, which accepts it once it reaches the others."""
    try:
        with connect(members[0].uri, REQUEST_SECONDS) as client:
            client.admin.command("replSetInitiate", _config(members))
    except OperationFailure as error:
        if error.code not in (*INITIATED, NODE_NOT_FOUND):
            raise StackProblem(
                f"mongod refuses to become a replica set; its log says why: {log}"
            ) from error
        return error.code in INITIATED
    except PyMongoError:
        return False
    return True


def _config(members: Sequence[ReplicaSetMember]) -> dict[str, object]:
    return {
        "_id": REPLICA_SET,
        "members": [{"_id": n, "host": it.address} for n, it in enumerate(members)],
        "settings": {"electionTimeoutMillis": ELECTION_MS},
    }
