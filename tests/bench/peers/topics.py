"""Topics of the peers, made as our own are."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient, NewTopic

from bench.environment import Environment

PARTITIONS = 12  # as many as our topics have


def create_topic(environment: Environment, name: str) -> str:
    """Create a topic of the peers; return its name."""
    admin = AdminClient({"bootstrap.servers": environment.stack.kafka, "log_level": 0})
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(30)
    return name
