"""Every process keeps a document of itself, which outlives it for a while."""

from __future__ import annotations

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


@pytest.mark.parametrize("service", [GATEWAY, WRITER, ENRICHER, TRIGGER])
def test_each_process_says_what_it_is_and_that_it_lives(stack: RunningStack, service: str) -> None:
    seen = until(lambda: instance(stack, service), of="a document")
    part = stack.part(service)
    assert (seen["service"], seen["version"], seen["pid"]) == (service, release(), part["pid"])
    assert seen["health"] in part["url"]
    assert (seen["waitsFor"], seen["stalled"]) == ([], [])
    assert "stoppedAt" not in seen
    until(lambda: instance(stack, service)["heartbeatAt"] > seen["heartbeatAt"], of="another beat")


def test_the_gateway_reports_whom_it_refuses(stack: RunningStack) -> None:
    httpx.get(f"{stack.gateway}/api/v3/orders/x", headers={"apikey": "no key of ours"})

    until(lambda: refusals(stack) >= 1, of="the refusal is reported")
