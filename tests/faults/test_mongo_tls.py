"""All services and the command on a MongoDB that asks for TLS and a client's certificate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from order_runtime.process.connection_settings import ConnectionSettings
from order_stack.cluster.certificates import Authority
from support.builders.bodies import order_body
from support.stack.api_client import ApiClient
from support.stack.running_stack import OrdersCommand, running_stack
from support.stack.secure_mongod import replica_set_of_one

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.timeout(300)]

Server = tuple[str, Mapping[str, str]]
"""Its URI, and the variables by which a client is let in."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Start a replica set of one mongod that takes nothing but TLS."""
    authority = Authority(tmp_path / "certificates")
    own, client = authority.issue("mongod"), authority.issue("client")
    settings = ConnectionSettings(mongo_ca_file=authority.ca, mongo_cert_file=client.both)
    options = ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(own.both)]
    options += ["--tlsCAFile", str(authority.ca)]
    variables = {
        "ORDERMILL_MONGO_CA_FILE": str(authority.ca),
        "ORDERMILL_MONGO_CERT_FILE": str(client.both),
    }
    with replica_set_of_one(tmp_path, options, settings.mongo_with_tls) as port:
        yield f"mongodb://127.0.0.1:{port}/?replicaSet=rs", variables


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
