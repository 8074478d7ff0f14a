"""A whole system whose topics have as many partitions as a deployment may choose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from order_contracts.topics import (
    ACTIONS,
    COMMANDS,
    CONTACTS,
    ENRICHER,
    EVENTS,
    MAX_PARTITIONS,
    TRIGGER,
    WRITER,
)
from order_runtime.mongo.client import ACTION_DELIVERIES
from support.builders.actions import action_record, order_action
from support.stack.consumer_groups import all_have_partitions, end_offsets, lag
from support.stack.documents import find_documents
from support.stack.kafka_records import publish_outgoing
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

SECONDS = 300.0
COUNT = 600


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    home = tmp_path_factory.mktemp("orders-home")
    with running_stack(home, "--partitions", str(MAX_PARTITIONS), seconds=600) as started:
        yield started


def test_all_services_consume_200_partitions_and_every_action_is_delivered(
    wide: RunningStack,
) -> None:
    for service in (WRITER, ENRICHER, TRIGGER):
        until(lambda: all_have_partitions(wide, service, 1), seconds=SECONDS, of=service)  # noqa: B023
    for topic in (COMMANDS, EVENTS, ACTIONS, CONTACTS):
        assert len(end_offsets(wide, topic.name)) == MAX_PARTITIONS

    publish_outgoing(wide.kafka, [action_record(order_action()) for _ in range(COUNT)])

    until(lambda: lag(wide.kafka, TRIGGER, ACTIONS.name) == 0, seconds=SECONDS, of="recorded")
    until(lambda: delivered(wide) == COUNT, seconds=SECONDS, of="delivered")


def test_a_consumer_that_was_told_another_number_does_not_start(wide: RunningStack) -> None:
    wide.kill(WRITER)
    refused = wide.orders("start", WRITER, "--set", "ORDERMILL_PARTITIONS=12", check=False)
    assert refused.returncode
    assert "orders.commands has 200 partitions, needed: 12" in wide.command.log_tails()


def delivered(stack: RunningStack) -> int:
    where = {"state": "delivered"}
    return len(find_documents(stack.mongo, stack.database, ACTION_DELIVERIES, where))
