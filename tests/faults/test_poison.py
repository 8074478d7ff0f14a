"""A command that crashes the order-writer is a dead letter, and is applied when replayed later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psutil
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from order_contracts.topics import TOPICS
from order_operations.connections.kafka_client import admin_client
from order_runtime.kafka.address import KafkaAddress
from support.builders.bodies import Json, order_body
from support.builders.raw_records import register_record
from support.history.database_dump import database_dump, differing_lines
from support.stack.api_client import ApiClient
from support.stack.consumer_groups import lag
from support.stack.kafka_records import header, messages_of_order, publish_records, read_all
from support.stack.outcome_queries import log_entries
from support.stack.running_stack import RunningStack
from support.stack.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

CONSUMERS: Final = ("order-writer", "enricher", "action-trigger")


def test_a_repaired_writer_settles_the_job_of_a_dead_letter(stack: RunningStack) -> None:
    """
    The command is one of a batch of good ones. After the replay its job completes, there is one
    order, and a reset of all groups to offset 0 changes nothing.
    """
    api, poison = ApiClient(stack), str(uuid4())
    bodies = [order_body() for _ in range(5)]
    ids = [poison if at == 2 else str(uuid4()) for at in range(5)]
    with poisoned(stack, poison):
        commands = [register_record(body, job) for body, job in zip(bodies, ids, strict=True)]
        publish_records(stack.kafka, commands, partition=3)
        ends = {job_id: api.stored(job_id, seconds=90)["status"] for job_id in ids}
    assert [job_id for job_id, end in ends.items() if end == "Failed"] == [poison]
    assert api.job(poison).status_code == 500

    [letter] = json.loads(stack.orders("dlq", "list", "--key", of(bodies), "--json").stdout)
    stack.orders("dlq", "replay", letter["place"])

    assert letter["reason"] == "InternalError"
    until(lambda: api.job(poison).status_code == 200, of="the job that had failed")
    assert api.order(of(bodies)).status_code == 200
    kinds = [header(it, "ce_type") for it in events(stack, of(bodies))]
    assert kinds == ["OrderCommandRejected.v1", "OrderRegistered.v1"]
    [entry] = log_entries(stack, poison, "CommandRejected")
    assert "resolvedAt" in entry
    api.settled(poison)
    unchanged_when_read_again(stack)


def of(bodies: list[Json]) -> str:
    order_id: str = bodies[2]["orderId"]
    return order_id


def events(stack: RunningStack, order_id: str) -> list[Any]:
    return messages_of_order(read_all(stack.kafka, "orders.events"), order_id)


@contextmanager
def poisoned(stack: RunningStack, job_id: str) -> Iterator[None]:
    """Run a writer that fails at one command instead of the real one, for the body."""
    stop(stack, "order-writer")
    state = json.loads((stack.command.home / stack.name / "stack.json").read_text())
    [part] = [part for part in state["parts"] if part["name"] == "order-writer"]
    environ = {**os.environ, **part["env"], "POISON": job_id}
    environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    argv = [sys.executable, "-m", "faults.planted.poisoned_writer"]
    process = subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)
        stack.start("order-writer")


def stop(stack: RunningStack, service: str) -> None:
    process = psutil.Process(stack.part(service)["pid"])
    stack.kill(service, "TERM")
    process.wait(60)


def unchanged_when_read_again(stack: RunningStack) -> None:
    """Check that a reset of every group to offset 0 leaves the database unchanged."""
    for service in CONSUMERS:
        stop(stack, service)
    before = database_dump(stack)
    for service in CONSUMERS:
        begin_again(stack.kafka, service)
        stack.start(service)
    until(lambda: all(caught_up(stack, it) for it in CONSUMERS), seconds=240, of="all read again")
    assert not (changed := differing_lines(before, database_dump(stack))), "\n".join(changed[:20])


def topics_of(service: str) -> list[str]:
    return [topic.name for topic in TOPICS if service in topic.readers]


def caught_up(stack: RunningStack, service: str) -> bool:
    return all(lag(stack.kafka, service, topic) == 0 for topic in topics_of(service))


def begin_again(kafka: KafkaAddress, group: str) -> None:
    """Set a group's offsets to 0, once it has no members."""
    places = [TopicPartition(topic, it, 0) for topic in topics_of(group) for it in range(12)]
    client = admin_client(kafka)

    def reset() -> bool:
        with suppress(KafkaException):
            request = [ConsumerGroupTopicPartitions(group, places)]
            client.alter_consumer_group_offsets(request)[group].result(30)
            return True
        return False

    until(reset, seconds=60, of=f"{group} without members")
