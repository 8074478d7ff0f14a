"""Each service killed with SIGKILL while it has a backlog: nothing lost, nothing doubled."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from pymongo import MongoClient

from support.builders.bodies import Json, article_body, contact_body, line, matching, order_body
from support.load.concurrent_posts import TimedResponse, post_all
from support.stack.api_client import ApiClient
from support.stack.consumer_groups import lag
from support.stack.running_stack import RunningStack
from support.stack.wait import until
from support.stack.webhook_receiver import webhook_body

pytestmark = pytest.mark.timeout(240)

ORDERS = 2_000
BACKLOG = 200
EFFECTS = {"order-writer": "jobs", "enricher": "links", "action-trigger": "deliveries"}
"""What each leaves in MongoDB first: the kill falls between that and the commit of its offsets."""


@pytest.fixture
def known(stack: RunningStack, tmp_path: Path) -> tuple[Json, Json]:
    """A contact and an article that the system knows."""
    contact, article = contact_body(), article_body()
    file = tmp_path / "reference.ndjson"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in (contact, article)))
    stack.orders("reference", "load", "--wait", str(file))
    return contact, article


def test_every_service_killed_under_load(stack: RunningStack, known: tuple[Json, Json]) -> None:
    """
    2,000 orders are registered while each service dies with a backlog and is started again:
    every 202 is one terminal job, every order is there once, every webhook arrives under one id.
    """
    contact, article = known
    bodies = [
        order_body(
            contact=matching(contact),
            lines=[line(sku=article["sku"])],
            orderAction={"action": "ConfirmOrder"},
        )
        for _ in range(ORDERS)
    ]

    answers = registered_amid_kills(stack, bodies)

    accepted = [answer for answer in answers if answer.status == 202]
    assert len({answer.job_id for answer in accepted}) == len(accepted)
    settled_all(stack, accepted)
    ids = [body["orderId"] for body in bodies]
    with MongoClient[dict[str, Any]](stack.mongo) as client:
        database = client[stack.database]
        jobs = list(database["jobs"].find({"orderId": {"$in": ids}}))
        stored = database["orders"].count_documents({"_id": {"$in": ids}})
    applied = [job for job in jobs if "failure" not in job]
    # A post that got no answer may have been applied: each order once, and each 202 for certain.
    assert {answer.job_id for answer in accepted} <= {job["_id"] for job in jobs}
    assert Counter(job["orderId"] for job in applied) == dict.fromkeys(ids, 1)
    assert stored == ORDERS
    hooks = hooks_of(stack, set(ids))
    assert {hook["data"]["order"]["orderId"] for hook in hooks} == set(ids)
    assert len({hook["data"]["actionId"] for hook in hooks}) == ORDERS


def registered_amid_kills(stack: RunningStack, bodies: list[Json]) -> list[TimedResponse]:
    """Register all; kill each consumer with a backlog, and the gateway amid its requests."""
    quarters = [bodies[at::4] for at in range(4)]
    topics = {
        "order-writer": "orders.commands",
        "enricher": "orders.events",
        "action-trigger": "orders.actions",
    }
    answers: list[TimedResponse] = []
    for quarter, (service, topic) in zip(quarters, topics.items(), strict=False):
        with killed_with_backlog(stack, service, topic):
            answers += post_all(stack, quarter, concurrency=50)
    return answers + posted_amid_gateway_kill(stack, quarters[3])


@contextmanager
def killed_with_backlog(stack: RunningStack, service: str, topic: str) -> Iterator[None]:
    """Stop a consumer for the body, so that its topic fills; wake it and kill it at work."""
    process = psutil.Process(stack.part(service)["pid"])
    process.suspend()
    yield
    until(lambda: lag(stack.kafka, service, topic) > BACKLOG, of=f"the backlog of {service}")
    with MongoClient[dict[str, Any]](stack.mongo) as client:
        effects = client[stack.database][EFFECTS[service]]
        before = effects.estimated_document_count()
        process.resume()
        until(lambda: effects.estimated_document_count() > before, of=f"{service} at work")
    process.kill()
    process.wait(10)
    stack.start(service)


def posted_amid_gateway_kill(stack: RunningStack, bodies: list[Json]) -> list[TimedResponse]:
    """Kill the gateway while over 200 requests are in flight; what broke is posted again."""
    gateway = psutil.Process(stack.part("gateway")["pid"])
    port = urlsplit(stack.gateway).port
    gateway.suspend()
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(post_all, stack, bodies, concurrency=BACKLOG + 50)
        until(lambda: connections_to(port) > BACKLOG, of="requests in flight")
        gateway.resume()
        gateway.kill()
        gateway.wait(10)
        stack.start("gateway")
        return posting.result(60)


def connections_to(port: int | None) -> int:
    """Return how many connections our own requests hold to *port*."""
    mine = psutil.Process().net_connections("tcp4")
    return sum(1 for one in mine if one.raddr and one.raddr.port == port)


def settled_all(stack: RunningStack, accepted: list[TimedResponse]) -> None:
    """Wait until every accepted job has its end; fails with the first that has none."""
    api = ApiClient(stack)
    for answer in accepted:
        job = api.settled(answer.job_id, seconds=90)
        assert job["status"] in {"Completed", "Failed"}, job
        if job["status"] == "Completed":
            assert job["stages"]["action"] == "delivered", job


def hooks_of(stack: RunningStack, ids: set[str]) -> list[Json]:
    """Return the verified webhooks of these orders; each came under the id of its action."""
    hooks = [hook for hook in httpx.get(f"{stack.receiver}/received").json() if hook["verified"]]
    bodies = [(hook["headers"]["webhook-id"], webhook_body(hook)) for hook in hooks]
    ours = [(sent, body) for sent, body in bodies if body["data"]["order"]["orderId"] in ids]
    assert all(sent == body["data"]["actionId"] for sent, body in ours)
    return [body for _, body in ours]
