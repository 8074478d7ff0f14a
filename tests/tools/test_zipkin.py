"""`orders up --traces`: a real Zipkin shows one trace from a request to its webhook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from support.builders.bodies import Json, contact_body, matching, order_body
from support.stack.api_client import ApiClient
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until

pytestmark = pytest.mark.tools

PARENT = "b7ad6b7169203331"
SPANS = [
    ("gateway", "SERVER", "post /api/v3/orders"),
    ("gateway", "PRODUCER", "send orders.commands"),
    ("order-writer", "CONSUMER", "process orders.commands"),
    ("enricher", "CONSUMER", "process orders.events"),
    ("action-trigger", "CONSUMER", "process orders.actions"),
    ("action-trigger", "CLIENT", "post"),
]
"""Each the parent of the next; Zipkin writes names in lower case."""


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("orders-home"), "--traces") as started:
        yield started


def zipkin(stack: RunningStack) -> str:
    """Return Zipkin's address, as the status tells it."""
    page: str = stack.status()["traces"]
    return page.removesuffix("/zipkin/")


def delivered_order(stack: RunningStack, folder: Path) -> tuple[str, str]:
    """Register an order whose webhook is delivered; return its trace's and its job's ids."""
    known, trace_id, client = contact_body(), uuid4().hex, ApiClient(stack)
    file = folder / "contacts.ndjson"
    file.write_text(json.dumps(known))
    stack.orders("reference", "load", "--wait", str(file))
    body = order_body(contact=matching(known), orderAction={"action": "ConfirmOrder"})
    answer = client.post(body, traceparent=f"00-{trace_id}-{PARENT}-01")
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["jobId"]
    assert client.settled(job_id)["stages"]["action"] == "delivered"
    return trace_id, job_id


def whole_trace(address: str, trace_id: str) -> list[Json] | None:
    """Return the spans of a trace, each after its parent; None while some are on their way."""
    answer = httpx.get(f"{address}/api/v2/trace/{trace_id}", timeout=10)
    spans: list[Json] = answer.json() if answer.status_code == 200 else []
    by_parent = {it["parentId"]: it for it in spans}
    found, parent = list[Json](), PARENT
    while parent in by_parent:
        found.append(by_parent[parent])
        parent = found[-1]["id"]
    return found if len(found) == len(SPANS) else None


def test_zipkin_shows_one_trace_from_a_request_to_its_webhook(
    traced: RunningStack, tmp_path: Path
) -> None:
    address = zipkin(traced)
    trace_id, job_id = delivered_order(traced, tmp_path)

    spans = until(lambda: whole_trace(address, trace_id), of="the trace")

    told = [(it["localEndpoint"]["serviceName"], it["kind"], it["name"]) for it in spans]
    assert told == SPANS
    by_job = {"annotationQuery": f"ordermill.job_id={job_id}", "limit": "10"}
    [found] = httpx.get(f"{address}/api/v2/traces", params=by_job, timeout=10).json()
    assert {it["traceId"] for it in found} == {trace_id}


def test_its_page_is_where_the_status_says(traced: RunningStack) -> None:
    page = traced.status()["traces"]

    assert page.startswith("http://127.0.0.1:")
    assert "<title>" in httpx.get(page, follow_redirects=True, timeout=10).text
    assert traced.part("zipkin")["ready"]
    assert f"Traces     {page}" in traced.orders("status").stdout
