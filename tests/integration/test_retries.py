"""Idempotency-Key: a retry before, during or after the first is applied changes nothing more."""

from __future__ import annotations

import pytest
from pymongo import MongoClient

from support.builders.bodies import Json, order_body, unique
from support.stack.async_api_client import WAIT, ApiResponse, AsyncApiClient, order_path
from support.stack.running_stack import RunningStack, paused


@pytest.fixture
def key() -> dict[str, str]:
    return {"idempotency-key": unique("key")}


async def test_a_retry_before_the_first_is_applied_is_an_alias(
    stack: RunningStack, calls: AsyncApiClient, contact: Json, key: dict[str, str]
) -> None:
    """
    All are accepted, one changes the order and acts; the others' jobs show what the first one did.
    """
    body = order_body(contact=contact, orderAction={"action": "ConfirmOrder"})
    with paused(stack, "order-writer"):
        answers = [await calls("POST", "/orders", body, key) for _ in range(3)]

    first, *retries = [answer.job_id for answer in answers]
    jobs = await calls.settled([first, *retries])

    assert [answer.status for answer in answers] == [202] * 3
    assert len(jobs) == 3
    for retry in retries:
        assert jobs[retry] == jobs[first] | changed_in_an_alias(jobs[retry], first)
    history = await calls("GET", order_path(body["orderId"], "history"))
    assert len(history.body["deliveries"]) == 1


def changed_in_an_alias(job: Json, first: str) -> Json:
    """Give what an alias has of its own."""
    own = ("jobId", "href", "createdAt", "expiresAt")
    return {name: job[name] for name in own} | {"aliasOf": first}


async def test_an_alias_whose_first_job_is_past_retention_is_past_it_too(
    stack: RunningStack, calls: AsyncApiClient, key: dict[str, str]
) -> None:
    """It has nothing of its own to show, least of all that something was applied."""
    body = order_body()
    with paused(stack, "order-writer"):
        first, retry = [(await calls("POST", "/orders", body, key)).job_id for _ in range(2)]
    await calls.settled([first, retry])
    with MongoClient[Json](stack.mongo) as client:
        client[stack.database]["jobs"].delete_one({"_id": first})  # as retention does

    gone = await calls("GET", f"/orders/jobs/{retry}")
    listed = await calls("GET", f"/orders/jobs?orderId={body['orderId']}")

    assert (gone.status, gone.code) == (410, "JobExpired")
    assert listed.body["items"] == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_retry_after_the_first_is_answered_with_its_job(
    calls: AsyncApiClient, key: dict[str, str], method: str
) -> None:
    """
    Looked up before anything else: neither 409 for a registration, nor 404 for a deletion.
    """
    path, body = await subject(calls, method)
    first = await calls(method, path, body, key | WAIT)

    retry = await calls(method, path, body, key)
    waiting = await calls(method, path, body, key | WAIT)

    assert first.status == waiting.status == 200
    assert (retry.status, retry.job_id) == (202, first.job_id)
    assert waiting.job_id == first.job_id


async def test_a_key_belongs_to_one_request(
    stack: RunningStack, calls: AsyncApiClient, key: dict[str, str]
) -> None:
    """
    Another body under it: 422 from the job while the first is not applied, at once afterwards.
    """
    body = order_body()
    with paused(stack, "order-writer"):
        first = await calls("POST", "/orders", body, key)
        early = await calls("POST", "/orders", body | {"totalPrice": 1}, key)
    jobs = await calls.settled([first.job_id, early.job_id])

    late = await calls("POST", "/orders", body | {"totalPrice": 2}, key)
    elsewhere = await calls("PUT", order_path(body["orderId"]), body, key)
    preconditioned = await calls(
        "DELETE", order_path(body["orderId"]), None, key | {"if-match": "*"}
    )

    assert jobs[early.job_id]["errors"][0]["code"] == "IdempotencyKeyReused"
    assert jobs[first.job_id]["status"] == "CompletedWithErrors"
    for answer in (late, elsewhere, preconditioned):
        assert (answer.status, answer.code) == (422, "IdempotencyKeyReused")


async def test_each_row_of_a_bulk_has_a_key_of_its_own(
    calls: AsyncApiClient, key: dict[str, str]
) -> None:
    """
    The whole request again gives the same jobs; a row that differs is refused alone.
    """
    bodies = [order_body() for _ in range(3)]
    first = await calls("POST", "/orders/bulk", bodies, key)
    await calls.settled([row["jobId"] for row in first.body["rows"]])

    again = await calls("POST", "/orders/bulk", bodies, key)
    other = await calls("POST", "/orders/bulk", [*bodies[:2], order_body()], key)

    assert again.body == first.body
    assert [row["status"] for row in other.body["rows"]] == [202, 202, 422]
    assert other.status == 207


async def subject(calls: AsyncApiClient, method: str) -> tuple[str, Json | None]:
    """Return a path and a body for the method, its order registered where it has to be."""
    body = order_body()
    if method == "POST":
        return "/orders", body
    registered: ApiResponse = await calls("POST", "/orders", body, WAIT)
    assert registered.status == 200
    return order_path(body["orderId"]), body if method == "PUT" else None
