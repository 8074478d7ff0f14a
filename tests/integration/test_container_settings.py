"""A real broker and a real mongod start with what Compose and containers give them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymongo import MongoClient

from order_contracts.topics import TOPICS
from order_manifests.compose.document import MONGO_COMMAND, REPLICA_SET, kafka_settings
from order_operations.connections.kafka_client import admin_client
from order_operations.topics import kafka_topics
from order_runtime.kafka.address import KafkaAddress
from order_stack.cluster import mongo_servers
from order_stack.cluster.jars import classpath
from order_stack.cluster.kafka_brokers import java, new_cluster_id
from order_stack.cluster.kafka_probe import cluster_id
from order_stack.cluster.topology import Topology
from support.harness.free_ports import free_port
from support.stack.containers import SETTINGS
from support.stack.replica_set import initiate
from support.stack.wait import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

HOST = "127.0.0.1"
ADVERTISED = "KAFKA_ADVERTISED_LISTENERS"
IN_A_CONTAINER = {**SETTINGS, ADVERTISED: f"{SETTINGS[ADVERTISED]},INTERNAL://localhost:9094"}


def properties(settings: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the broker's properties as its image makes them, with ports and folders of here."""
    ports = {it: str(free_port()) for it in ("9092", "9093", "9094")}

    def here(value: str) -> str:
        moved = re.sub(r":(909\d)", lambda it: f":{ports[it[1]]}", value)
        return moved.replace("//:", f"//{HOST}:").replace("/var/lib/kafka", str(folder))

    names = {it: it.removeprefix("KAFKA_").lower().replace("_", ".") for it in settings}
    return {names[it]: here(value) for it, value in settings.items()}


@contextmanager
def running(argv: Sequence[str], log: Path) -> Iterator[None]:
    with log.open("wb") as out, subprocess.Popen(argv, stdout=out, stderr=out) as process:
        try:
            yield
        finally:
            process.kill()


@pytest.mark.parametrize(
    "settings", [kafka_settings("localhost"), IN_A_CONTAINER], ids=["compose", "container"]
)
def test_a_broker_starts_and_takes_all_topics(settings: Mapping[str, str], tmp_path: Path) -> None:
    made, file = properties(settings, tmp_path), tmp_path / "server.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in made.items()))
    jvm = java(classpath(print), Topology())
    tool = ("kafka.tools.StorageTool", "format", "-t", new_cluster_id(), "-c", str(file))
    subprocess.run([*jvm, *tool], capture_output=True, check=True)
    clients = made["advertised.listeners"].split(",")[0].removeprefix("PLAINTEXT://")
    broker = KafkaAddress(clients)

    with running([*jvm, "kafka.Kafka", str(file)], tmp_path / "kafka.log"):
        until(lambda: cluster_id(broker), seconds=60, of="the broker")
        kafka_topics.apply(broker, TOPICS)
        found = admin_client(broker).list_topics(timeout=30).topics

    assert {it.name for it in TOPICS} <= set(found)


def test_a_mongod_starts_and_has_transactions(tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "data"
    data.mkdir()
    options = [it for it in MONGO_COMMAND if it != "--bind_ip_all"]  # nobody else here may ask it
    argv = [str(mongo_servers.binary(os.environ)), *options, "--nounixsocket"]
    argv += ["--port", str(port), "--dbpath", str(data), "--bind_ip", HOST]
    uri = f"mongodb://{HOST}:{port}/?directConnection=true"

    with running(argv, tmp_path / "mongod.log"):
        initiate(uri, REPLICA_SET, f"localhost:{port}")
        with MongoClient[dict[str, object]](uri) as mongo, mongo.start_session() as session:
            with session.start_transaction():
                mongo["it"]["it"].insert_one({"_id": 1}, session=session)
            assert mongo["it"]["it"].count_documents({}) == 1
