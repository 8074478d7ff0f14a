"""The logins of a secure stack: for each workload a profile, the settings that let it in."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from order_operations.connections.system_address import DEFAULT_DATABASE
from order_operations.workloads.table import WORKLOADS, Workload
from order_runtime.kafka.address import Mechanism, Security
from order_runtime.process.connection_settings import PREFIX
from order_stack.cluster.certificates import authority_in, certificate_in
from order_stack.cluster.parts import ADMIN, profile_in
from order_stack.cluster.state import write_privately

MECHANISM: Final = Mechanism.SCRAM_SHA_512
SECRET_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class SecureBackends:
    """The addresses of a stack's own Kafka and MongoDB, host:port, comma-separated."""

    kafka: str
    internal: str
    """The brokers' own listener, which asks for a client's certificate."""
    mongo: str
    replica_set: str


def certificates_folder(data: Path) -> Path:
    return data / "certificates"


def authority_file(data: Path) -> Path:
    return authority_in(certificates_folder(data))


def logins_folder(data: Path) -> Path:
    return data / "logins"


def login_file(data: Path, workload: str) -> Path:
    """Return the profile of a workload, or of ADMIN."""
    return profile_in(logins_folder(data), workload)


def write_logins(data: Path, backends: SecureBackends) -> None:
    """Write the profile of each workload that has none yet, with new passwords."""
    logins_folder(data).mkdir(exist_ok=True, mode=0o700)
    for workload in WORKLOADS:
        _write(data, workload.name, _variables(data, workload, backends))
    _write(data, ADMIN, _admin_variables(data, backends))


def _write(data: Path, name: str, variables: Mapping[str, str]) -> None:
    file = login_file(data, name)
    if not file.exists():
        lines = (f"{PREFIX}{variable}={value}\n" for variable, value in variables.items())
        write_privately(file, "".join(lines).encode())


def _variables(data: Path, workload: Workload, backends: SecureBackends) -> Mapping[str, str]:
    kafka = {
        "KAFKA": backends.kafka,
        "KAFKA_SECURITY": str(Security.SASL_SSL),
        "KAFKA_MECHANISM": str(MECHANISM),
        "KAFKA_USERNAME": workload.name,
        "KAFKA_PASSWORD": secrets.token_hex(SECRET_BYTES),
        "KAFKA_CA_FILE": str(authority_file(data)),
    }
    if not workload.mongo:
        return kafka
    return {**kafka, **_mongo_variables(data, workload.name, DEFAULT_DATABASE, backends)}


def _admin_variables(data: Path, backends: SecureBackends) -> Mapping[str, str]:
    certificate = certificate_in(certificates_folder(data), ADMIN)
    kafka = {
        "KAFKA": backends.internal,
        "KAFKA_SECURITY": str(Security.SSL),
        "KAFKA_CERT_FILE": str(certificate.cert),
        "KAFKA_KEY_FILE": str(certificate.key),
        "KAFKA_CA_FILE": str(authority_file(data)),
    }
    return {**kafka, **_mongo_variables(data, ADMIN, "admin", backends)}


def _mongo_variables(
    data: Path, user: str, user_database: str, backends: SecureBackends
) -> Mapping[str, str]:
    at = f"{user}:{secrets.token_hex(SECRET_BYTES)}@{backends.mongo}"
    options = f"replicaSet={backends.replica_set}&authSource={user_database}"
    return {
        "MONGO": f"mongodb://{at}/?{options}",
        "MONGO_CA_FILE": str(authority_file(data)),
        "DATABASE": DEFAULT_DATABASE,
    }
