"""Topics of the peers, made as our own are."""

from __future__ import annotations

from confluent_kafka.admin import NewTopic

from bench.environment import Environment
from order_operations.connections.kafka_client import admin_client

PARTITIONS = 12  # as many as our topics have


def create_topic(environment: Environment, name: str) -> str:
    """Create a topic of the peers; return its name."""
    admin = admin_client(environment.stack.kafka)
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(30)
    return name
