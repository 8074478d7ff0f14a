"""Prefer: wait: the job in the answer, at a cost that doesn't grow with those who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import httpx

from support.builders.bodies import order_body
from support.stack.async_api_client import WAIT, ApiResponse, AsyncApiClient, order_path
from support.stack.running_stack import RunningStack, paused

UNTIL_ENRICHED = {"prefer": "wait=10, until=enriched"}
QUERIES = "ordermill_gateway_queries_total{"
SECONDS = 2


async def test_whoever_waits_is_answered_with_the_job(calls: AsyncApiClient) -> None:
    """
    200 once it is stored, with the order's version.
    """
    body = order_body()

    answer = await calls("POST", "/orders", body, WAIT)

    assert answer.status == 200
    assert answer.headers["preference-applied"].startswith("wait")
    assert answer.headers["location"] == answer.body["href"]
    order = await calls("GET", order_path(body["orderId"]))
    assert order.body["versionTag"] == answer.body["versionTag"]


async def test_a_failed_job_is_answered_with_its_own_status(calls: AsyncApiClient) -> None:
    """
    As the job's own address would: a problem that holds the job.
    """
    answer = await calls("DELETE", order_path(order_body()["orderId"]), None, WAIT)

    assert (answer.status, answer.code) == (404, "OrderNotFound")
    assert answer.body["job"]["status"] == "Failed"
    assert answer.headers["preference-applied"].startswith("wait")


async def test_patience_ends_in_a_receipt(stack: RunningStack, calls: AsyncApiClient) -> None:
    """
    202 where nothing was stored in time; the job goes on.
    """
    with paused(stack, "order-writer"):
        answer = await calls("POST", "/orders", order_body(), {"prefer": "wait=1"})

    assert answer.status == 202
    assert "preference-applied" not in answer.headers
    assert answer.job_id in await calls.settled([answer.job_id])


async def test_whoever_waits_for_the_enrichment_is_told_what_was_missing(
    calls: AsyncApiClient,
) -> None:
    """
    Nobody has the contact, and nobody knows the articles.
    """
    body = order_body()

    answer = await calls("POST", "/orders", body, UNTIL_ENRICHED)

    assert (answer.status, answer.body["status"]) == (200, "CompletedWithErrors")
    assert answer.body["stages"]["enrichment"] == "contactMissing"
    assert answer.headers["preference-applied"] == "wait=10, until=enriched"
    missing = {it["reference"] for it in answer.body["warnings"] if it["code"] == "ArticleMissing"}
    assert missing == {it["sku"] for it in body["lineItems"]["items"]}
    job = await calls("GET", answer.headers["location"])
    assert job.body == answer.body


async def test_an_action_without_a_contact_is_answered_with_its_failure(
    calls: AsyncApiClient,
) -> None:
    body = order_body()
    order = await calls("POST", "/orders", body, WAIT)
    action = {"action": "ConfirmOrder", "versionTag": order.body["versionTag"]}

    answer = await calls("POST", f"{order_path(body['orderId'])}/action", action, UNTIL_ENRICHED)

    assert (answer.status, answer.code) == (422, "ContactMissing")


async def test_what_has_nothing_to_be_enriched_is_answered_once_it_is_stored(
    stack: RunningStack, calls: AsyncApiClient
) -> None:
    body = order_body()
    await calls("POST", "/orders", body, UNTIL_ENRICHED)

    with paused(stack, "enricher"):
        gone = await calls("DELETE", order_path(body["orderId"]), None, UNTIL_ENRICHED)
        again = await calls("DELETE", order_path(body["orderId"]), None, UNTIL_ENRICHED)

    assert (gone.status, again.status) == (200, 404)
    assert gone.headers["preference-applied"] == "wait=10, until=enriched"


async def test_what_is_stored_and_not_enriched_in_time_is_answered_with_its_stages(
    stack: RunningStack, calls: AsyncApiClient
) -> None:
    """
    202: the job goes on. A retry, whose job is another one's alias, is answered in the same way.
    """
    body, key = order_body(), {"idempotency-key": str(uuid4())}
    short = {"prefer": "wait=1, until=enriched"} | key

    with paused(stack, "enricher"):
        answers = [await calls("POST", "/orders", body, short) for _ in range(2)]
    later = await calls("POST", "/orders", body, UNTIL_ENRICHED | key)

    for answer in answers:
        assert answer.status == 202
        assert answer.body["stages"] == {
            "storage": "done",
            "enrichment": "pending",
            "action": "none",
        }
        assert answer.headers["preference-applied"] == "wait=1"
        assert answer.headers["location"] == answer.body["href"]
        assert "retry-after" in answer.headers
    assert (later.status, later.body["stages"]["enrichment"]) == (200, "contactMissing")


async def test_queries_do_not_grow_with_those_who_wait(
    stack: RunningStack, calls: AsyncApiClient
) -> None:
    """
    The same patience costs 20 clients and 200 the same queries; the writer stands still meanwhile.
    """
    gateway = stack.part("gateway")["url"]

    with paused(stack, "order-writer"):
        few, of_few = await counted(gateway, calls, 20)
        many, of_many = await counted(gateway, calls, 200)

    assert {answer.status for answer in (*few, *many)} == {202}
    assert of_few > 10
    assert of_many < 2 * of_few


async def test_two_hundred_who_wait_are_all_answered(calls: AsyncApiClient) -> None:
    """
    Each with its own job.
    """
    bodies = [order_body() for _ in range(200)]

    answers = await asyncio.gather(
        *[calls("POST", "/orders", body, {"prefer": "wait=10"}) for body in bodies]
    )

    assert {answer.status for answer in answers} == {200}
    assert [answer.body["orderId"] for answer in answers] == [body["orderId"] for body in bodies]


async def counted(
    gateway: str, calls: AsyncApiClient, clients: int
) -> tuple[Sequence[ApiResponse], float]:
    """Let so many clients wait in vain; return the answers and the queries for jobs."""
    before = queries_for_jobs(gateway)
    patience = {"prefer": f"wait={SECONDS}"}
    answers = await asyncio.gather(
        *[calls("POST", "/orders", order_body(), patience) for _ in range(clients)]
    )
    return answers, queries_for_jobs(gateway) - before


def queries_for_jobs(url: str) -> float:
    rows = httpx.get(f"{url}/metrics").text.splitlines()
    name = f'{QUERIES}kind="jobs"}}'
    return next((float(row.split()[-1]) for row in rows if row.startswith(name)), 0.0)
