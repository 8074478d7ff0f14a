"""The table of processes gives each service what its settings ask for, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from order_contracts.topics import ENRICHER, GATEWAY, TRIGGER, WRITER
from order_operations.connections.profile import profile_variables
from order_operations.workloads.processes import HEALTH
from order_operations.workloads.table import SERVICES, WORKLOADS
from order_runtime.process.connection_settings import PREFIX
from order_runtime.process.settings import ServiceSettings
from order_stack.cluster import logins, mongo_servers, services, stack_identity
from order_stack.cluster.certificates import Authority
from order_stack.cluster.parts import Part
from order_stack.cluster.services import Backends
from order_stack.cluster.stack_plan import write_logins
from order_stack.cluster.topology import ONE_OF_EACH, Topology

SECURE = replace(ONE_OF_EACH, secure=True)
EACH = pytest.mark.parametrize("service", SERVICES)


def settings_of(service: str) -> type[ServiceSettings]:
    found: type[ServiceSettings] = import_module(f"{SERVICES[service].module}.settings").Settings
    return found


def started(service: str, topology: Topology, data: Path) -> Part:
    identity = stack_identity.fresh(data, topology)
    if topology.secure:
        write_logins(identity, data)
    parts = services.services(identity, Backends("k:1", "mongodb://m/"), data, data)
    return next(it for it in parts if it.name == service)


def given(part: Part) -> Mapping[str, str]:
    """Return the settings of the process, by the names of their fields."""
    environ = {**(profile_variables(Path(part.login)) if part.login else {}), **part.env}
    return {
        name.removeprefix(PREFIX).lower(): it
        for name, it in environ.items()
        if name.startswith(PREFIX)
    }


def test_the_services_are_the_workloads_that_run() -> None:
    assert list(SERVICES) == [GATEWAY, WRITER, ENRICHER, TRIGGER]
    assert [it.name for it in WORKLOADS if it.process] == list(SERVICES)


@EACH
@pytest.mark.parametrize("topology", [ONE_OF_EACH, SECURE], ids=["plain", "secure"])
def test_a_service_is_given_all_that_it_requires_and_nothing_it_does_not_know(
    service: str, topology: Topology, tmp_path: Path
) -> None:
    fields = settings_of(service).model_fields
    required = {name for name, field in fields.items() if field.is_required()}
    settings = given(started(service, topology, tmp_path))
    assert required <= settings.keys() <= fields.keys()
    settings_of(service).model_validate(settings)


@EACH
def test_the_table_names_settings_that_are_there(service: str) -> None:
    process, fields = SERVICES[service], settings_of(service).model_fields
    named = {*process.secrets, *process.files, *process.tls_files, *process.ports.values()}
    assert {it.lower() for it in named} <= fields.keys()
    assert all(not fields[it.lower()].repr for it in process.secrets)
    assert ("partitions" in fields) is process.partitioned
    assert HEALTH in process.ports


def test_no_secret_of_a_login_is_remembered_with_the_stack(tmp_path: Path) -> None:
    """The files have them; what is remembered names the file."""
    for service in SERVICES:
        part = started(service, SECURE, tmp_path)
        assert part.login == str(logins.login_file(tmp_path, service))
        assert not {"ORDERMILL_MONGO", "ORDERMILL_KAFKA_PASSWORD"} & part.env.keys()


def test_logins_differ_and_are_kept_and_are_for_their_owner_alone(tmp_path: Path) -> None:
    identity = stack_identity.fresh(tmp_path, SECURE)
    write_logins(identity, tmp_path)
    files = sorted(logins.logins_folder(tmp_path).iterdir())
    texts = [it.read_text() for it in files]
    passwords = [
        line
        for text in texts
        for line in text.splitlines()
        if "PASSWORD" in line or "MONGO=" in line
    ]
    assert len(files) == len(WORKLOADS) + 1
    assert len(set(passwords)) == len(passwords)
    write_logins(identity, tmp_path)
    assert [it.read_text() for it in files] == texts
    written = [*files, *logins.certificates_folder(tmp_path).iterdir()]
    assert {it.stat().st_mode & 0o777 for it in written} == {0o600}


def test_an_authority_is_kept_and_certificates_are_new(tmp_path: Path) -> None:
    first, ca = Authority(tmp_path).issue("broker").cert.read_bytes(), tmp_path / "ca.pem"
    known = ca.read_bytes()
    assert Authority(tmp_path).issue("broker").cert.read_bytes() != first
    assert ca.read_bytes() == known


def test_members_of_a_secure_replica_set_take_tls_and_known_users_alone(tmp_path: Path) -> None:
    own = stack_identity.fresh(tmp_path, SECURE)
    [member] = mongo_servers.members(SECURE, own.ports, tmp_path)
    argv = mongo_servers.part(Path("mongod"), member, tmp_path).argv
    assert {"--auth", "--keyFile", "requireTLS"} <= set(argv)
    assert "tls=true" in mongo_servers.uri([member])
