"""Whether Kafka brokers serve, as a client sees it."""

from __future__ import annotations

from confluent_kafka import KafkaException

from order_operations.kafka_client import admin_client
from order_runtime.kafka.address import KafkaAddress

PROBE_SECONDS = 2.0


def cluster_id(kafka: KafkaAddress, seconds: float = PROBE_SECONDS) -> str | None:
    """Return the id of the Kafka cluster that answers there, or None."""
    try:
        return str(admin_client(kafka).list_topics(timeout=seconds).cluster_id)
    except KafkaException:
        return None


def is_in_cluster(address: str) -> bool:
    """Tell whether the broker at *address* answers, and lists itself among the live brokers."""
    try:
        brokers = (
            admin_client(KafkaAddress(address)).list_topics(timeout=PROBE_SECONDS).brokers.values()
        )
    except KafkaException:
        return False
    return address in {f"{it.host}:{it.port}" for it in brokers}
