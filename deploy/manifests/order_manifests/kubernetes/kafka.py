"""Strimzi's Kafka, its topics and its users, from the topics and the rights of the workloads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from order_contracts.topics import TOPICS, Topic
from order_manifests.environment import KAFKA_USER_PREFIX
from order_manifests.kubernetes.network import KAFKA_PORT
from order_manifests.kubernetes.parts import SYSTEM, Manifest
from order_operations.access.plan import USER, kafka_holdings, principals_by_workload
from order_operations.topics.plan import MAX_REPLICAS, min_in_sync
from order_runtime.access.rights import CLUSTER, KafkaRight

STRIMZI: Final = "kafka.strimzi.io/v1"
CLUSTER_LABEL: Final = "strimzi.io/cluster"
IN_SYNC: Final = min_in_sync(MAX_REPLICAS)
DISK: Final = "100Gi"


def cluster() -> list[Manifest]:
    return [_kafka(), _brokers()]


def topics() -> list[Manifest]:
    return [_topic(it) for it in TOPICS]


def users() -> list[Manifest]:
    holdings = kafka_holdings(principals_by_workload())
    return [_user(it.removeprefix(USER), rights) for it, rights in holdings.items()]


def _kafka() -> Manifest:
    """Return brokers that let in by TLS and a password, and allow what an ACL says alone."""
    clients = {
        "name": "clients",
        "port": KAFKA_PORT,
        "type": "internal",
        "tls": True,
        "authentication": {"type": "scram-sha-512"},
    }
    config = {
        "auto.create.topics.enable": False,
        "default.replication.factor": MAX_REPLICAS,
        "min.insync.replicas": IN_SYNC,
        "offsets.topic.replication.factor": MAX_REPLICAS,
        "transaction.state.log.replication.factor": MAX_REPLICAS,
        "transaction.state.log.min.isr": IN_SYNC,
    }
    kafka = {"listeners": [clients], "authorization": {"type": "simple"}, "config": config}
    operators = {"topicOperator": {}, "userOperator": {"secretPrefix": KAFKA_USER_PREFIX}}
    return _strimzi("Kafka", SYSTEM, {"kafka": kafka, "entityOperator": operators})


def _brokers() -> Manifest:
    volume = {
        "id": 0,
        "type": "persistent-claim",
        "size": DISK,
        "kraftMetadata": "shared",
        "deleteClaim": False,
    }
    spec = {
        "replicas": MAX_REPLICAS,
        "roles": ["controller", "broker"],
        "storage": {"type": "jbod", "volumes": [volume]},
        "resources": {"requests": {"cpu": "1", "memory": "4Gi"}, "limits": {"memory": "4Gi"}},
    }
    return _of_cluster("KafkaNodePool", "brokers", spec)


def _topic(topic: Topic) -> Manifest:
    spec = {
        "partitions": topic.partitions,
        "replicas": MAX_REPLICAS,
        "config": {**topic.config, "min.insync.replicas": str(IN_SYNC)},
    }
    return _of_cluster("KafkaTopic", topic.name, spec)


def _user(name: str, rights: Iterable[KafkaRight]) -> Manifest:
    operations = defaultdict[tuple[str, str, bool, str], list[str]](list)
    for it in sorted(rights):
        operations[it.resource, it.name, it.prefixed, it.host].append(_operation(it))
    acls = [_acl(*on, allowed) for on, allowed in operations.items()]
    authorization = {"type": "simple", "acls": acls}
    spec = {"authentication": {"type": "scram-sha-512"}, "authorization": authorization}
    return _of_cluster("KafkaUser", name, spec)


def _acl(resource: str, name: str, prefixed: bool, host: str, operations: list[str]) -> Manifest:
    pattern = "prefix" if prefixed else "literal"
    on = {"type": resource.lower(), "name": name, "patternType": pattern}
    if resource == CLUSTER:
        on = {"type": "cluster"}
    return {"resource": on, "host": host, "operations": operations}


def _operation(right: KafkaRight) -> str:
    """Return an operation as Strimzi writes it: DESCRIBE_CONFIGS is DescribeConfigs."""
    return right.operation.title().replace("_", "")


def _of_cluster(kind: str, name: str, spec: Manifest) -> Manifest:
    found = _strimzi(kind, name, spec)
    found["metadata"]["labels"] = {CLUSTER_LABEL: SYSTEM}
    return found


def _strimzi(kind: str, name: str, spec: Manifest) -> Manifest:
    """
    Return it without the system's labels.

    Strimzi gives labels of its resources to the brokers' pods as well, and the policies of the
    services' network would be theirs.
    """
    return {"apiVersion": STRIMZI, "kind": kind, "metadata": {"name": name}, "spec": spec}
