"""What a container of each workload is given: settings, and secrets as files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from order_contracts.topics import DEFAULT_PARTITIONS, GATEWAY
from order_operations.workloads.processes import HEALTH, HTTP, SharedFile
from order_operations.workloads.table import SERVICES
from order_runtime.kafka.address import Mechanism, Security
from order_runtime.process.connection_settings import PREFIX
from order_runtime.process.settings import Traces

CONTAINER_PORTS: Final[Mapping[str, int]] = MappingProxyType({HTTP: 8080, HEALTH: 8081})
MOUNTS: Final = "/etc/ordermill"
USER: Final = 10001
"""Of the images, and of whoever owns the files that are mounted."""
KAFKA_CA: Final = "ordermill-cluster-ca-cert"  # Strimzi names it after its Kafka, `ordermill`
KAFKA_USER_PREFIX: Final = "kafka-"
GATEWAY_TLS: Final = "ordermill-gateway-tls"
EVERYWHERE: Final = "0.0.0.0"  # noqa: S104  in a container, whose network decides who reaches it
EXAMPLE_URL: Final = "https://orders.example.com"

_FILES: Final[Mapping[SharedFile, str]] = MappingProxyType(
    {
        SharedFile.API_KEYS: "ordermill-api-keys",
        SharedFile.WEBHOOKS: "ordermill-webhooks",
        SharedFile.CERTIFICATE: GATEWAY_TLS,
        SharedFile.CERTIFICATE_KEY: GATEWAY_TLS,
    }
)


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A key of a Secret, as a file that a setting names."""

    setting: str
    secret: str
    key: str

    @property
    def folder(self) -> str:
        return f"{MOUNTS}/{self.secret}"

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.key}"


def configured(service: str) -> Mapping[str, str]:
    """Return the settings that a deployment may change, by the names of their variables."""
    return _prefixed({**_connections(service), **dict(_of_service(service))})


def decided(service: str) -> Mapping[str, str]:
    """Return the settings that the rest of the manifest depends on: ports, and where it listens."""
    ports = {it: str(CONTAINER_PORTS[port]) for port, it in SERVICES[service].ports.items()}
    public = {"HOST": EVERYWHERE} if HTTP in SERVICES[service].ports else {}
    return _prefixed({**ports, **public, "HEALTH_HOST": EVERYWHERE})


def secret_files(service: str) -> tuple[SecretFile, ...]:
    process = SERVICES[service]
    shared = (
        SecretFile(f"{setting}_FILE", f"ordermill-{it}", it.value)
        for setting, it in process.secrets.items()
    )
    return (*login_files(service), *shared, *_named_files(process.files))


def tls_files(service: str) -> tuple[SecretFile, ...]:
    """Return the files of a service that ends TLS itself."""
    return _named_files(SERVICES[service].tls_files)


def login_files(workload: str) -> tuple[SecretFile, ...]:
    """Return what lets a workload into Kafka and MongoDB."""
    return (
        SecretFile("MONGO_FILE", f"ordermill-mongo-{workload}", "uri"),
        SecretFile("KAFKA_PASSWORD_FILE", f"{KAFKA_USER_PREFIX}{workload}", "password"),
        SecretFile("KAFKA_CA_FILE", KAFKA_CA, "ca.crt"),
    )


def profile(workload: str) -> Mapping[str, str]:
    """Return the profile by which the `orders` command acts as a workload."""
    files = {it.setting: it.path for it in login_files(workload)}
    return _prefixed({**_connections(workload), **files})


def _connections(workload: str) -> Mapping[str, str]:
    return {
        "KAFKA": "ordermill-kafka-bootstrap:9093",
        "KAFKA_SECURITY": Security.SASL_SSL.value,
        "KAFKA_MECHANISM": Mechanism.SCRAM_SHA_512.value,
        "KAFKA_USERNAME": workload,
        "DATABASE": "ordermill",
    }


def _of_service(service: str) -> Iterator[tuple[str, str]]:
    yield "LOG_LEVEL", "INFO"
    yield "TRACES", Traces.OFF.value
    if SERVICES[service].partitioned:
        yield "PARTITIONS", str(DEFAULT_PARTITIONS)
    if service == GATEWAY:
        yield "PUBLIC_URL", EXAMPLE_URL


def _named_files(files: Mapping[str, SharedFile]) -> tuple[SecretFile, ...]:
    return tuple(SecretFile(setting, _FILES[it], it.value) for setting, it in files.items())


def _prefixed(settings: Mapping[str, str]) -> Mapping[str, str]:
    return {f"{PREFIX}{name}": value for name, value in settings.items()}
