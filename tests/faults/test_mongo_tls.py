"""All services and the command on a MongoDB that asks for TLS and a client's certificate."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from order_runtime.process.connection_settings import ConnectionSettings
from order_stack.cluster import mongo_servers
from support.builders.bodies import order_body
from support.stack.api_client import ApiClient
from support.stack.certificates import Authority
from support.stack.running_stack import OrdersCommand, running_stack
from support.stack.wait import until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.timeout(300)]

Server = tuple[str, Mapping[str, str]]
"""Its URI, and the variables by which a client is let in."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Start a replica set of one mongod that takes nothing but TLS."""
    authority = Authority(tmp_path / "certificates")
    own, client = authority.issue("mongod"), authority.issue("client")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = tmp_path / "mongod"
    data.mkdir()
    argv = [str(mongo_servers.binary(os.environ)), "--dbpath", str(data), "--port", str(port)]
    argv += ["--replSet", "rs", "--bind_ip", "127.0.0.1", "--nounixsocket"]
    argv += ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(own.both)]
    argv += ["--tlsCAFile", str(authority.ca)]
    uri = f"mongodb://127.0.0.1:{port}/?replicaSet=rs"
    variables = {
        "ORDERMILL_MONGO_CA_FILE": str(authority.ca),
        "ORDERMILL_MONGO_CERT_FILE": str(client.both),
    }
    with (tmp_path / "mongod.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        settings = ConnectionSettings(mongo_ca_file=authority.ca, mongo_cert_file=client.both)
        direct = settings.mongo_with_tls(f"mongodb://127.0.0.1:{port}/?directConnection=true")
        with MongoClient[dict[str, object]](direct, serverSelectionTimeoutMS=1_000) as mongo:
            until(lambda: _initiated(mongo, port), of="the replica set")
            until(lambda: mongo.admin.command("hello")["isWritablePrimary"], of="a primary")
        yield uri, variables
    finally:
        process.kill()
        process.wait()


def _initiated(mongo: MongoClient[dict[str, object]], port: int) -> bool:
    members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
    with suppress(PyMongoError):
        try:
            mongo.admin.command("replSetInitiate", {"_id": "rs", "members": members})
        except OperationFailure as error:
            return error.code == 23  # AlreadyInitialized
        return True
    return False


def test_every_client_gets_in(server: Server, tmp_path: Path) -> None:
    uri, variables = server
    with running_stack(tmp_path, "--mongo", uri, env=variables) as stack:
        api = ApiClient(stack)
        job = api.settled(api.registered(order_body()))
        assert job["stages"]["storage"] == "done"
        shown = stack.command.run("migrate", "plan", env=variables)
        assert "nothing" in (shown.stdout + shown.stderr).lower()


def test_without_a_certificate_the_command_says_so(server: Server, tmp_path: Path) -> None:
    uri, variables = server
    only_ca = {name: value for name, value in variables.items() if "CERT" not in name}
    command = OrdersCommand("refused", tmp_path)
    done = command.run("up", "--mongo", uri, env=only_ca, check=False)
    assert done.returncode != 0
    assert "MongoDB" in done.stderr
    assert "Traceback" not in done.stderr
