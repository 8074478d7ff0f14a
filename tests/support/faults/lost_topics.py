"""Topics that are lost with all their records, one or all of a Kafka, and a drill's own clock."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from order_contracts.topics import Topic
from order_operations.connections.kafka_client import admin_client
from order_stack.cluster.kafka_brokers import new_cluster_id
from order_stack.cluster.parts import Part
from order_stack.cluster.state import load
from support.stack.running_stack import RunningStack
from support.stack.wait import until

SERVICES = ("gateway", "order-writer", "enricher", "action-trigger")
FORMAT_SECONDS = 60


@contextmanager
def recovery(of: str) -> Iterator[None]:
    """Print how long the block took: from the first step of the runbook until all is done again."""
    began = time.monotonic()
    yield
    print(f"\nRTO of {of}: {time.monotonic() - began:.0f} s")


def stop(stack: RunningStack, *services: str) -> None:
    """Stop those services that run."""
    running = {it["name"] for it in stack.status()["services"] if it["pid"] is not None}
    for service in services:
        if service in running:
            stack.kill(service, "TERM")


def lose_topics(stack: RunningStack, *topics: Topic) -> None:
    """Delete topics with all their records; returns once no broker shows them."""
    admin, names = admin_client(stack.kafka), {it.name for it in topics}
    for deleted in admin.delete_topics(sorted(names)).values():
        deleted.result(30)
    until(lambda: not names & admin.list_topics(timeout=30).topics.keys(), of="they are gone")


def replace_kafka(stack: RunningStack) -> None:
    """Put an empty Kafka, another cluster, in the place of a stack's only broker; start it."""
    stack.kill("broker")
    broker = _broker(stack)
    settings = Path(broker.argv[-1])
    shutil.rmtree(settings.parent / "log")
    _format(broker.argv[:-2], settings)
    stack.start("broker")


def _broker(stack: RunningStack) -> Part:
    found = load(stack.command.home / stack.name)
    assert found is not None
    [broker] = found.of_kind("broker")
    return broker


def _format(jvm: Sequence[str], settings: Path) -> None:
    tool = (*jvm, "kafka.tools.StorageTool", "format", "--standalone", "-t", new_cluster_id())
    subprocess.run(
        [*tool, "-c", str(settings)], check=True, capture_output=True, timeout=FORMAT_SECONDS
    )
