"""A stored document that the gateway can't read: 500 for who asks for it, and for nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    ENRICHMENTS,
    INTEGRATION_LOG,
    JOBS,
    LINKS,
    ORDERS,
    Document,
)
from support.builders.bodies import Json, order_body, unique
from support.stack.api_client import ApiClient
from support.stack.running_stack import RunningStack

pytestmark = pytest.mark.stack


@contextmanager
def spoilt(
    stack: RunningStack, collection: str, where: Document, fields: Document
) -> Iterator[None]:
    """Set *fields* of a document, or make one of them alone, while the body runs."""
    with MongoClient[Document](stack.mongo, timeoutMS=10_000) as client:
        documents = client[stack.database][collection]
        before = documents.find(where).to_list()
        documents.update_many(where, {"$set": fields}, upsert="_id" in where)
        try:
            yield
        finally:
            documents.delete_many(where)
            if before:
                documents.insert_many(before)


def get(api: ApiClient, path: str, **query: Any) -> httpx.Response:
    return api.client.get(f"{api.base}{path}", params=query)


def items(answer: httpx.Response) -> list[Json]:
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["items"]
    return found


@pytest.fixture
def api(stack: RunningStack) -> ApiClient:
    return ApiClient(stack)


@pytest.fixture
def orders(api: ApiClient, contact: Json) -> list[Json]:
    """Three orders of a contact that exists, each with the id of its job, enriched."""
    made = [order_body(contact=contact) for _ in range(3)]
    job_ids = [api.registered(body) for body in made]
    for job_id in job_ids:
        api.settled(job_id)
    return [{"orderId": it["orderId"], "jobId": at} for it, at in zip(made, job_ids, strict=True)]


def ids(found: list[Json], name: str = "orderId") -> set[str]:
    return {it[name] for it in found}


@pytest.mark.parametrize(
    ("collection", "fields"),
    [
        (ORDERS, {"version": "one"}),
        (ORDERS, {"order": {"status": "Vanished"}}),
        (ORDERS, {"updatedAt": "never"}),
        (LINKS, {"contactVersion": "x"}),
        (LINKS, {"contactId": 5}),
    ],
)
def test_an_order_that_can_not_be_read_is_500_and_lists_have_all_others(
    stack: RunningStack,
    api: ApiClient,
    contact: Json,
    orders: list[Json],
    collection: str,
    fields: Document,
) -> None:
    since = datetime(2020, 1, 1, tzinfo=UTC).isoformat()
    bad, others = orders[0]["orderId"], ids(orders[1:])
    with spoilt(stack, collection, {"_id": bad}, fields):
        one = api.order(bad)
        of_contact = items(get(api, "/orders", contactId=contact["matchKey"], count=100))
        changed = items(get(api, "/orders", changedSince=since, count=100))
        others_found = [api.order(it).status_code for it in others]

    assert (one.status_code, one.json()["code"]) == (500, "InternalError")
    assert others_found == [200, 200]
    assert others <= ids(of_contact)
    assert bad not in ids(changed)
    assert api.order(bad).status_code == 200


@pytest.mark.parametrize(
    ("collection", "fields"),
    [
        (JOBS, {"operation": 9}),
        (JOBS, {"failure": {"code": 1}}),
        (JOBS, {"aliasOf": ["x"]}),
        (ENRICHMENTS, {"state": "soon"}),
        (ENRICHMENTS, {"at": None}),
    ],
    ids=str,
)
def test_a_job_that_can_not_be_read_is_500_and_lists_have_all_others(
    stack: RunningStack, api: ApiClient, orders: list[Json], collection: str, fields: Document
) -> None:
    bad, order_id = orders[0]["jobId"], orders[0]["orderId"]
    with spoilt(stack, collection, {"_id": bad}, fields):
        one = api.job(bad)
        jobs = items(get(api, "/orders/jobs", count=100))
        history = get(api, f"/orders/{order_id}/history")

    assert (one.status_code, one.json()["code"]) == (500, "InternalError")
    assert ids(orders[1:], "jobId") <= ids(jobs, "jobId")
    assert bad not in ids(jobs, "jobId")
    assert (history.status_code, history.json()["jobs"]) == (200, [])


def test_lists_have_all_other_log_entries_and_deliveries(
    stack: RunningStack, api: ApiClient, orders: list[Json]
) -> None:
    order_id, entry, delivery = orders[0]["orderId"], unique("entry"), unique("delivery")
    at = datetime.now(UTC)
    with (
        spoilt(stack, INTEGRATION_LOG, {"_id": entry}, {"orderId": order_id, "at": at}),
        spoilt(stack, INTEGRATION_LOG, {"_id": entry + "-2"}, {"orderId": order_id}),
        spoilt(stack, ACTION_DELIVERIES, {"_id": delivery}, {"orderId": order_id, "state": 5}),
    ):
        history = get(api, f"/orders/{order_id}/history").json()
        log = items(get(api, "/integration-log", orderId=order_id))

    assert (len(history["jobs"]), history["deliveries"]) == (1, [])
    assert ids(history["warnings"], "id") == ids(log, "id")
    assert entry not in ids(log, "id")


def test_a_write_is_accepted_whatever_can_not_be_read_and_its_job_tells(
    stack: RunningStack, api: ApiClient, orders: list[Json]
) -> None:
    """The order's owner, and the Idempotency-Key of another call that is asked for beside it."""
    bad = orders[0]["orderId"]
    with spoilt(stack, ORDERS, {"_id": bad}, {"registeredBy": 5}):
        accepted = api.post(order_body(bad))
        job = api.stored(accepted.json()["jobId"])
    assert accepted.status_code == 202
    assert (job["status"], job["errors"][0]["code"]) == ("Failed", "InternalError")


def test_a_check_of_many_orders_answers_for_the_others(
    stack: RunningStack, api: ApiClient, orders: list[Json]
) -> None:
    """One whose version nobody can tell is not said to be there."""
    bad = orders[0]["orderId"]
    with spoilt(stack, ORDERS, {"_id": bad}, {"jobId": 5}):
        answer = api.client.post(
            f"{api.base}/orders/check", json=[{"orderId": it["orderId"]} for it in orders]
        )
    assert (answer.status_code, answer.json()["missing"]) == (200, [bad])
