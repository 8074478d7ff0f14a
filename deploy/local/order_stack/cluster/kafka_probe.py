"""Whether Kafka brokers serve, as a client sees it."""

from __future__ import annotations

from confluent_kafka import KafkaException

from order_operations.connections.kafka_client import admin_client, unavailable
from order_runtime.kafka.address import KafkaAddress
from order_stack.problems import StackProblem

PROBE_SECONDS = 2.0
REACH_SECONDS = 10.0
VERIFY_SECONDS = 30.0


def cluster_id(kafka: KafkaAddress, seconds: float = PROBE_SECONDS) -> str | None:
    """Return the id of the Kafka cluster that answers there, or None."""
    try:
        return str(admin_client(kafka).list_topics(timeout=seconds).cluster_id)
    except KafkaException:
        return None


def is_in_cluster(broker: KafkaAddress) -> bool:
    """Tell whether *broker*, one alone, answers and lists itself among the live brokers."""
    try:
        brokers = admin_client(broker).list_topics(timeout=PROBE_SECONDS).brokers.values()
    except KafkaException:
        return False
    return broker.servers in {f"{it.host}:{it.port}" for it in brokers}


def verify(kafka: KafkaAddress, expected: str) -> None:
    """Raise StackProblem where the brokers that answer don't have the cluster id *expected*."""
    found = cluster_id(kafka, VERIFY_SECONDS)
    if found != expected:
        raise StackProblem(
            f"At {kafka} answers another Kafka cluster ({found}) than this stack's; "
            "nothing was written. Stop that one, or start this stack again."
        )


def check_reachable(kafka: KafkaAddress) -> None:
    """Raise StackProblem where no broker answers, or none lets us in."""
    if cluster_id(kafka, REACH_SECONDS) is None:
        raise StackProblem(f"{unavailable(kafka)} Check --kafka and ORDERMILL_KAFKA_….")
