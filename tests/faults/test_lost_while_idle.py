"""A writer that loses its partitions while it waits reads them when it has them again."""

from __future__ import annotations

import pytest

from order_contracts.topics import WRITER
from order_writer.source import CommandSource
from support.builders import order_body
from support.detour import Detour
from support.stack import RunningStack
from support.topics import publish, register
from support.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

SECONDS = 120.0  # for what takes a session of ten


def test_what_was_paused_when_it_was_lost_is_read_when_it_is_back(stack: RunningStack) -> None:
    """
    It polls with all partitions paused, as it does while a batch can't be announced, and Kafka
    is silent for longer than a session. The client keeps a partition paused that it gives up.
    """
    stack.kill(WRITER, "TERM")
    with Detour(stack.kafka) as kafka:
        source = CommandSource(kafka.instead_of(stack.kafka), "waiting")
        try:
            until(lambda: source.take(1_000, 0.1) or source.assigned, seconds=SECONDS)
            kafka.hole()
            until(lambda: _idle_and_lost(source), seconds=SECONDS, of="its loss")
            kafka.open()
            until(lambda: source.take(1_000, 0.1) or source.assigned, seconds=SECONDS)
            publish(stack.kafka, [register(order_body())])
            assert until(lambda: source.take(1_000, 0.1), seconds=SECONDS, of="the command")
        finally:
            source.close()
    stack.start(WRITER)


def _idle_and_lost(source: CommandSource) -> bool:
    source.idle(0.1)
    return not source.assigned
