"""A replica set of one mongod that a test starts with options of its own, as for TLS."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from order_stack.cluster import mongo_servers
from support.harness.free_ports import free_port
from support.stack.replica_set import initiate


@contextmanager
def replica_set_of_one(
    folder: Path, options: Sequence[str], with_tls: Callable[[str], str] = str
) -> Iterator[int]:
    """Start it in *folder*, and yield its port; *with_tls* adds to a URI what lets a client in."""
    port, data = free_port(), folder / "mongod"
    data.mkdir()
    argv = [str(mongo_servers.binary(os.environ)), "--dbpath", str(data), "--port", str(port)]
    argv += ["--replSet", "rs", "--bind_ip", "127.0.0.1", "--nounixsocket", *options]
    with (folder / "mongod.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        address = f"127.0.0.1:{port}"
        initiate(with_tls(f"mongodb://{address}/?directConnection=true"), "rs", address)
        yield port
    finally:
        process.kill()
        process.wait()
