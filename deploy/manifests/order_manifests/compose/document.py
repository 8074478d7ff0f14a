"""The whole system for Docker Compose: the services of the table, and what is around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from order_contracts.topics import GATEWAY
from order_manifests.compose import observability
from order_manifests.environment import (
    CONTAINER_PORTS,
    SecretFile,
    configured,
    decided,
    secret_files,
)
from order_operations.workloads.processes import HTTP
from order_operations.workloads.table import SERVICES
from order_runtime.kafka.address import Security
from order_runtime.process.connection_settings import PREFIX

Part = dict[str, Any]

KAFKA_PORT: Final = 9092
MONGO_PORT: Final = 27017
REPLICA_SET: Final = "rs0"
KAFKA: Final = f"kafka:{KAFKA_PORT}"
MONGO: Final = f"mongodb://mongo:{MONGO_PORT}/?replicaSet={REPLICA_SET}"
RECEIVER_PORT: Final = 8090
KAFKA_IMAGE: Final = "apache/kafka:4.3.1"
MONGO_IMAGE: Final = "mongo:8.0"
MONGO_COMMAND: Final = (
    *("--replSet", REPLICA_SET, "--bind_ip_all"),
    *("--setParameter", "transactionLifetimeLimitSeconds=10"),
)
UI_IMAGE: Final = "kafbat/kafka-ui:v1.4.2"
LOGINS: Final = frozenset({"MONGO_FILE", "KAFKA_PASSWORD_FILE", "KAFKA_CA_FILE"})
INITIATE: Final = (
    "try { rs.status().ok } catch (e) { rs.initiate({"
    f"_id: '{REPLICA_SET}', members: [{{_id: 0, host: 'mongo:{MONGO_PORT}'}}]"
    "}).ok }"
)
CONTEXT: Final = "../.."
WAIT: Final = {"interval": "5s", "timeout": "10s", "retries": 24}


def document() -> Part:
    """Return it as on one machine: without logins, one of each, everything on one network."""
    return {
        "name": "ordermill",
        "services": {
            "kafka": _kafka(),
            "mongo": _mongo(),
            "topics": _once("topics", {"ORDERS_KAFKA": KAFKA}, "kafka"),
            "migrations": _once("migrate", {"ORDERS_MONGO": MONGO}, "mongo"),
            **{it: _service(it) for it in SERVICES},
            "receiver": _receiver(),
            **observability.parts(),
            "kafka-ui": _kafka_ui(),
        },
        "secrets": _secrets(),
        "volumes": {it: {} for it in ("kafka", "mongo", *observability.VOLUMES)},
    }


def _service(name: str) -> Part:
    published = {}
    if HTTP in SERVICES[name].ports:
        published = {"ports": [f"127.0.0.1:{CONTAINER_PORTS[HTTP]}:{CONTAINER_PORTS[HTTP]}"]}
    return {
        **_hardened(name),
        "environment": settings(name),
        "secrets": [{"source": it.key, "target": it.path} for it in _files(name)],
        "depends_on": {
            it: {"condition": "service_completed_successfully"} for it in ("topics", "migrations")
        },
        "healthcheck": _health(SERVICES[name].ready),
        "restart": "unless-stopped",
        **published,
    }


def settings(service: str) -> Mapping[str, str]:
    """Return the environment of a service whose Kafka and MongoDB ask for no login."""
    plain = {"KAFKA": KAFKA, "KAFKA_SECURITY": Security.PLAINTEXT.value, "MONGO": MONGO}
    own = {it.setting: it.path for it in _files(service)}
    public = {"PUBLIC_URL": f"http://127.0.0.1:{CONTAINER_PORTS[HTTP]}"}
    added = {
        **plain,
        **own,
        **observability.trace_settings(),
        "INSTANCE": service,
        **(public if service == GATEWAY else {}),
    }
    login = {f"{PREFIX}KAFKA_MECHANISM", f"{PREFIX}KAFKA_USERNAME"}
    kept = {name: it for name, it in configured(service).items() if name not in login}
    return {**kept, **decided(service), **{f"{PREFIX}{name}": it for name, it in added.items()}}


def _files(service: str) -> tuple[SecretFile, ...]:
    return tuple(it for it in secret_files(service) if it.setting not in LOGINS)


def _hardened(image: str) -> Part:
    return {
        "image": f"ordermill/{image}",
        "build": {
            "context": CONTEXT,
            "dockerfile": "deploy/images/Dockerfile",
            "args": {"SERVICE": image},
        },
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }


def _once(command: str, environment: Mapping[str, str], after: str) -> Part:
    return {
        **_hardened("operations"),
        "command": [command, "apply"],
        "environment": dict(environment),
        "depends_on": {after: {"condition": "service_healthy"}},
        "restart": "no",
    }


def _receiver() -> Part:
    """Play the automation trigger; it has the secret that is in the webhooks file."""
    return {
        **_hardened("receiver"),
        "command": ["--host", "0.0.0.0", "--port", str(RECEIVER_PORT)],  # noqa: S104
        "env_file": ["secrets/receiver.env"],
        "ports": [f"127.0.0.1:{RECEIVER_PORT}:{RECEIVER_PORT}"],
    }


def _health(path: str) -> Part:
    url = f"http://127.0.0.1:{CONTAINER_PORTS['health']}{path}"
    ask = f"import urllib.request; urllib.request.urlopen('{url}', timeout=5)"
    return {"test": ["CMD", "python", "-c", ask], **WAIT}


def kafka_settings(host: str) -> dict[str, str]:
    """Return the environment of one broker, its own controller, that finds itself at *host*."""
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{KAFKA_PORT},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{host}:{KAFKA_PORT}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@{host}:9093",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
    }


def _kafka() -> Part:
    asks = ["CMD", "/opt/kafka/bin/kafka-broker-api-versions.sh", "--bootstrap-server", KAFKA]
    return {
        "image": KAFKA_IMAGE,
        "environment": kafka_settings("kafka"),
        "volumes": ["kafka:/var/lib/kafka/data"],
        "healthcheck": {"test": asks, **WAIT},
        "restart": "unless-stopped",
    }


def _mongo() -> Part:
    """Run one member, which is healthy once it has made the replica set of itself."""
    return {
        "image": MONGO_IMAGE,
        "command": list(MONGO_COMMAND),
        "volumes": ["mongo:/data/db"],
        "healthcheck": {"test": ["CMD", "mongosh", "--quiet", "--eval", INITIATE], **WAIT},
        "restart": "unless-stopped",
    }


def _kafka_ui() -> Part:
    """Show topics, and change nothing; what records hold of people is masked."""
    cluster = "KAFKA_CLUSTERS_0_"
    environment = {
        f"{cluster}NAME": "ordermill",
        f"{cluster}BOOTSTRAPSERVERS": KAFKA,
        f"{cluster}READONLY": "true",
        f"{cluster}MASKING_0_TYPE": "REPLACE",
        f"{cluster}MASKING_0_TOPICVALUESPATTERN": ".*",
        f"{cluster}MASKING_0_TOPICKEYSPATTERN": "reference\\.contacts",
    }
    return {
        "image": UI_IMAGE,
        "profiles": ["ui"],
        "environment": environment,
        "ports": ["127.0.0.1:8088:8080"],
        "depends_on": {"kafka": {"condition": "service_healthy"}},
    }


def _secrets() -> Part:
    names = {it.key for service in SERVICES for it in _files(service)}
    return {name: {"file": f"secrets/{name}"} for name in sorted(names)}
