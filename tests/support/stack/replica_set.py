"""Makes a mongod that has just been started a replica set of one."""

from __future__ import annotations

from contextlib import suppress

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from support.stack.wait import until

ALREADY_INITIALIZED = 23
Client = MongoClient[dict[str, object]]


def initiate(uri: str, replica_set: str, itself: str, *, seconds: float = 30) -> None:
    """
    Return once the mongod at *uri* is primary.

    *itself* is its address as it sees it; in a container that isn't the one in *uri*.
    """
    with Client(uri, serverSelectionTimeoutMS=1_000) as mongo:
        until(lambda: _initiated(mongo, replica_set, itself), seconds=seconds, of="a replica set")
        until(lambda: mongo.admin.command("hello")["isWritablePrimary"], of="a primary")


def _initiated(mongo: Client, replica_set: str, itself: str) -> bool:
    members = [{"_id": 0, "host": itself}]
    with suppress(PyMongoError):
        try:
            mongo.admin.command("replSetInitiate", {"_id": replica_set, "members": members})
        except OperationFailure as error:
            return error.code == ALREADY_INITIALIZED
        return True
    return False
