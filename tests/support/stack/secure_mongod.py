"""A replica set of one mongod that a test starts with options of its own, as for TLS."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from order_stack.cluster import mongo_servers
from support.stack.wait import until

Client = MongoClient[dict[str, object]]


@contextmanager
def replica_set_of_one(
    folder: Path, options: Sequence[str], with_tls: Callable[[str], str] = str
) -> Iterator[int]:
    """Start it in *folder*, and yield its port; *with_tls* adds to a URI what lets a client in."""
    port, data = _free_port(), folder / "mongod"
    data.mkdir()
    argv = [str(mongo_servers.binary(os.environ)), "--dbpath", str(data), "--port", str(port)]
    argv += ["--replSet", "rs", "--bind_ip", "127.0.0.1", "--nounixsocket", *options]
    with (folder / "mongod.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        direct = with_tls(f"mongodb://127.0.0.1:{port}/?directConnection=true")
        with Client(direct, serverSelectionTimeoutMS=1_000) as mongo:
            until(lambda: _initiated(mongo, port), of="the replica set")
            until(lambda: mongo.admin.command("hello")["isWritablePrimary"], of="a primary")
        yield port
    finally:
        process.kill()
        process.wait()


def _initiated(mongo: Client, port: int) -> bool:
    members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
    with suppress(PyMongoError):
        try:
            mongo.admin.command("replSetInitiate", {"_id": "rs", "members": members})
        except OperationFailure as error:
            return error.code == 23  # AlreadyInitialized
        return True
    return False


def _free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        port: int = it.getsockname()[1]
        return port
