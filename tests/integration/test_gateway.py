"""The gateway: accepted once Kafka has it, refused with every reason, readable at once."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from support.builders.bodies import ABSENT, line, order_body, unique
from support.load.concurrent_posts import post_all
from support.stack.api_client import ApiClient
from support.stack.running_stack import RunningStack
from support.stack.wait import until


@pytest.fixture
def api(stack: RunningStack) -> ApiClient:
    return ApiClient(stack)


def test_an_order_is_accepted_applied_and_answered(api: ApiClient) -> None:
    """
    The whole way of one order over HTTP.
    """
    body = order_body()

    answer = api.post(body)

    receipt = answer.json()
    assert answer.status_code == 202
    assert receipt["status"] == "Accepted"
    assert receipt["orderId"] == body["orderId"]
    assert answer.headers["location"] == receipt["href"]
    assert answer.headers["retry-after"] == "1"
    job = api.stored(receipt["jobId"])
    assert job["status"] in {"Completed", "CompletedWithErrors"}
    order = api.order(body["orderId"])
    assert order.status_code == 200
    assert order.headers["etag"] == f'"{job["versionTag"]}"'
    assert len(base64.b64decode(order.json()["versionTag"])) == 16


def test_a_job_is_readable_from_the_instant_its_202_leaves(
    stack: RunningStack, api: ApiClient
) -> None:
    """
    The id itself proves that it was issued: nothing is stored yet, the writer is dead.
    """
    stack.kill("order-writer")
    try:
        job_id = api.registered(order_body())
        answer = api.job(job_id)
    finally:
        stack.start("order-writer")

    assert answer.status_code == 200
    assert answer.headers["retry-after"] == "1"
    assert set(answer.json()) == {"jobId", "status", "createdAt", "expiresAt", "href"}
    assert answer.json()["status"] == "Accepted"
    assert api.stored(job_id)["createdAt"] == answer.json()["createdAt"]


def test_all_errors_of_a_body_come_at_once(api: ApiClient) -> None:
    """
    Whoever sent it corrects it once.
    """
    body = order_body(
        status=ABSENT,
        typo=1,
        createdAt=(datetime.now(UTC) + timedelta(minutes=6)).isoformat(),
        lineItems={"items": [line(quantity=0), line(type="Gift")]},
    )

    answer = api.post(body)

    problem = answer.json()
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == "ValidationFailed"
    assert {(error["pointer"], error["code"]) for error in problem["errors"]} == {
        ("/status", "Required"),
        ("/typo", "Unknown"),
        ("/createdAt", "OutOfRange"),
        ("/lineItems/items/0/quantity", "OutOfRange"),
        ("/lineItems/items/1/type", "Invalid"),
    }


def test_a_second_registration_is_told_who_owns_the_order(api: ApiClient) -> None:
    """
    409 names the job that registered the order.
    """
    body = order_body()
    owner = api.registered(body)
    api.stored(owner)

    answer = api.post(body)

    assert answer.status_code == 409
    assert answer.json()["code"] == "OrderExists"
    assert answer.json()["jobId"] == owner


def test_the_order_that_get_gave_can_be_sent_back(api: ApiClient) -> None:
    """
    Read-only fields are ignored, so the answer of one order registers as it is.
    """
    body = order_body(extraData={"a.b": {"$ref": 1.25}}, totalPrice="12.30")
    api.stored(api.registered(body))
    stored = api.order(body["orderId"]).json()

    again = api.registered(stored | {"orderId": unique("order")})

    assert api.stored(again)["status"] != "Failed"
    assert stored["extraData"] == {"a.b": {"$ref": 1.25}}
    assert stored["totalPrice"] == 12.3


def test_an_order_of_another_contact_is_not_found(api: ApiClient) -> None:
    """
    The contactId of the query is verified.
    """
    body = order_body()
    api.settled(api.registered(body))

    assert api.order(body["orderId"], contactId="someone-else").status_code == 404
    assert api.order(unique("order")).json()["code"] == "OrderNotFound"


def test_jobs_never_issued_are_not_found(api: ApiClient) -> None:
    """
    Neither a word, nor a UUID of ours with a bit changed.
    """
    job_id = api.registered(order_body())
    forged = job_id[:-1] + ("0" if job_id[-1] != "0" else "1")

    for unknown in ("abc", forged, "00000000-0000-0000-0000-000000000000"):
        assert api.job(unknown).status_code == 404
        assert api.job(unknown).json()["code"] == "JobNotFound"


def test_a_completed_job_redirects_to_its_order_on_request(api: ApiClient) -> None:
    """
    The older edition's 302.
    """
    body = order_body()
    job_id = api.registered(body)
    api.stored(job_id)

    answer = api.job(job_id, redirect="true")

    assert answer.status_code == 302
    assert answer.headers["location"] == f"{api.base}/orders/{body['orderId']}"


def test_only_a_key_with_the_scope_opens_a_call(stack: RunningStack, api: ApiClient) -> None:
    """
    Keys come into force when the file changes, and leave the same way.
    """
    made = stack.orders("keys", "new", "reader", "--scope", "orders:read", "--json")
    key = json.loads(made.stdout)
    reader = httpx.Client(headers={"x-api-key": key["key"]})

    assert httpx.get(f"{api.base}/orders/x").status_code == 401
    assert reader.get(f"{api.base}/orders/x").status_code == 404
    refused = reader.post(f"{api.base}/orders", json=order_body())
    assert (refused.status_code, refused.json()["code"]) == (403, "Forbidden")
    stack.orders("keys", "revoke", key["id"])
    until(lambda: reader.get(f"{api.base}/orders/x").status_code == 401, of="the revoked key")


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        pytest.param(b"{", {}, 400, "ValidationFailed", id="broken-json"),
        pytest.param(b"", {}, 400, "ValidationFailed", id="empty"),
        pytest.param(b'{"a":1,"a":2}', {}, 400, "ValidationFailed", id="repeated-key"),
        pytest.param(b"[" * 100_000, {}, 400, "ValidationFailed", id="deep"),
        pytest.param(b"{}", {"content-type": "text/plain"}, 415, "UnsupportedMediaType", id="type"),
        pytest.param(b" " * (512 * 1024 + 1), {}, 413, "TooLarge", id="large"),
    ],
)
def test_what_is_no_order_is_refused(
    api: ApiClient, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    """
    Each with its own answer, none with a 500.
    """
    answer = api.post(body, **headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_hundred_concurrent_posts_cost_a_few_queries(stack: RunningStack) -> None:
    """
    Existence checks are coalesced.
    """
    gateway = stack.part("gateway")["url"]
    before = queries(gateway, "owners")

    answers = post_all(stack, [order_body() for _ in range(100)], concurrency=100)

    assert {answer.status for answer in answers} == {202}
    assert queries(gateway, "owners") - before < 50


def queries(url: str, kind: str) -> float:
    text = httpx.get(f"{url}/metrics").text
    name = f'ordermill_gateway_queries_total{{kind="{kind}"}}'
    return next((float(row.split()[-1]) for row in text.splitlines() if row.startswith(name)), 0.0)


def test_no_cache_keeps_what_the_gateway_answers(stack: RunningStack, api: ApiClient) -> None:
    """A shared cache may keep what was asked for with an apikey: only Authorization forbids it."""
    body = order_body()
    receipt = api.post(body)
    api.stored(receipt.json()["jobId"])
    found = [
        receipt,
        api.post(body),
        api.order(body["orderId"]),
        api.order(unique("nobody")),
        api.job(receipt.json()["jobId"]),
        httpx.get(f"{stack.gateway}/api/v3/orders"),
    ]

    assert [answer.status_code for answer in found] == [202, 409, 200, 404, 200, 401]
    assert {answer.headers["cache-control"] for answer in found} == {"private, no-store"}
