"""Every process keeps a document of itself, which outlives it for a while."""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx
import pytest

from order_contracts.topics import ENRICHER, GATEWAY, TRIGGER, WRITER
from order_runtime.documents.instances import KEY_REFUSED, UNKNOWN_KEY
from order_runtime.mongo.client import INSTANCES
from order_runtime.process.release import release
from support.stack.documents import find_documents
from support.stack.running_stack import RunningStack
from support.stack.wait import until

pytestmark = pytest.mark.stack

SERVICES = (GATEWAY, WRITER, ENRICHER, TRIGGER)


def instance(stack: RunningStack, service: str) -> dict[str, Any]:
    [found] = find_documents(
        stack.mongo, stack.database, INSTANCES, {"_id": f"{service}/{service}"}
    )
    return found


def refusals(stack: RunningStack) -> int:
    """Return how many requests with an unknown key the gateway reports."""
    conditions = instance(stack, GATEWAY)["conditions"]
    counts = {(it["code"], it["subject"]): it["count"] for it in conditions if "count" in it}
    return int(counts.get((KEY_REFUSED, UNKNOWN_KEY), 0))


def test_each_process_says_what_it_is_and_that_it_lives(stack: RunningStack) -> None:
    began = {it: until(partial(instance, stack, it), of="a document") for it in SERVICES}
    parts = {it["name"]: it for it in stack.status()["services"]}
    for service, seen in began.items():
        part = parts[service]
        assert (seen["service"], seen["version"]) == (service, release())
        assert seen["pid"] == part["pid"]
        assert seen["health"] in part["url"]
        assert "stoppedAt" not in seen
    until(lambda: all(is_well(stack, it, began[it]) for it in SERVICES), of="another beat of each")


def is_well(stack: RunningStack, service: str, before: dict[str, Any]) -> bool:
    """Return whether it lives on since *before*, and Kafka and MongoDB answer it."""
    seen = instance(stack, service)
    return seen["heartbeatAt"] > before["heartbeatAt"] and not (seen["waitsFor"] or seen["stalled"])


def test_the_gateway_reports_whom_it_refuses(stack: RunningStack) -> None:
    httpx.get(f"{stack.gateway}/api/v3/orders/x", headers={"apikey": "no key of ours"})

    until(lambda: refusals(stack) >= 1, of="the refusal is reported")
