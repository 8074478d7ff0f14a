"""Kafka and MongoDB in containers, of the images and with the settings of the compose file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from testcontainers.core.container import DockerContainer

from order_manifests.compose.document import (
    KAFKA_IMAGE,
    KAFKA_PORT,
    MONGO_COMMAND,
    MONGO_IMAGE,
    MONGO_PORT,
    REPLICA_SET,
    kafka_settings,
)
from order_runtime.kafka.address import KafkaAddress
from order_stack.cluster.kafka_probe import cluster_id
from support.stack.replica_set import initiate
from support.stack.wait import until

INFO_SECONDS = 60
START_SECONDS = 120
START = "/tmp/start.sh"  # noqa: S108  in the container
OWN_ADDRESS = "INTERNAL://localhost:9094"
"""Where the broker reaches itself: at the port of this machine it can't, from the container."""
SETTINGS = {
    **kafka_settings("localhost"),
    "KAFKA_LISTENERS": f"PLAINTEXT://:{KAFKA_PORT},INTERNAL://:9094,CONTROLLER://:9093",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": ",".join(
        f"{it}:PLAINTEXT" for it in ("PLAINTEXT", "INTERNAL", "CONTROLLER")
    ),
    "KAFKA_INTER_BROKER_LISTENER_NAME": "INTERNAL",
    # As brokers of `orders up` have them, so that tests wait no longer.
    "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "5",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
}


def refusal() -> str | None:
    """Return a sentence where no container can be started here."""
    docker = shutil.which("docker")
    if docker and _succeeds([docker, "info"]):
        return None
    return "STACK=containers needs Docker, and `docker info` fails here: leave STACK out."


@contextmanager
def kafka_container() -> Iterator[str]:
    """Start a broker; yield the address at which it is reached, and which it advertises."""
    wait = f"while [ ! -s {START} ]; do sleep 0.1; done; exec sh {START}"
    container = (
        DockerContainer(KAFKA_IMAGE, env=dict(SETTINGS))
        .with_exposed_ports(KAFKA_PORT)
        .with_kwargs(entrypoint=["sh", "-c"])
        .with_command([wait])
    )
    with container:
        address = _address(container, KAFKA_PORT)
        # The port on this machine is known only now.
        container.copy_into_container(_start_script(address), START)
        until(
            lambda: cluster_id(KafkaAddress(address)), seconds=START_SECONDS, of="Kafka's container"
        )
        yield address


@contextmanager
def mongo_container() -> Iterator[str]:
    """
    Start a replica set of one; yield its URI.

    The member knows itself by another port than clients do, so they must not ask it for members.
    """
    container = (
        DockerContainer(MONGO_IMAGE)
        .with_exposed_ports(MONGO_PORT)
        .with_command(list(MONGO_COMMAND))
    )
    with container:
        uri = f"mongodb://{_address(container, MONGO_PORT)}/?directConnection=true"
        initiate(uri, REPLICA_SET, f"localhost:{MONGO_PORT}", seconds=START_SECONDS)
        yield uri


def _start_script(address: str) -> bytes:
    advertised = f"export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://{address},{OWN_ADDRESS}"
    return f"{advertised}\nexec /etc/kafka/docker/run\n".encode()


def _address(container: DockerContainer, port: int) -> str:
    return f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"


def _succeeds(argv: list[str]) -> bool:
    try:
        done = subprocess.run(argv, capture_output=True, timeout=INFO_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
