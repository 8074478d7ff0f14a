"""Commands of one order: applied in their turn, refused by their preconditions, or too late."""

from __future__ import annotations

import asyncio

from support.builders.bodies import Json, order_body
from support.stack.async_api_client import WAIT, AsyncApiClient, order_path
from support.stack.running_stack import RunningStack, paused

EARLY, LATE = "2025-11-28T10:00:00Z", "2025-11-28T11:00:00Z"


async def test_register_and_change_in_one_breath(calls: AsyncApiClient) -> None:
    """
    The change doesn't wait for the order; both are applied in their order.
    """
    body = order_body()
    change = {"status": "Completed", "externalStatus": "shipped", "lastChangedAt": LATE}

    first = await calls("POST", "/orders", body)
    second = await calls("POST", order_path(body["orderId"], "change-status"), change)
    third = await calls("GET", second.headers["location"])

    assert third.status == 200
    jobs = await calls.settled([first.job_id, second.job_id])
    order = await calls.order(body["orderId"])
    assert order is not None
    assert (order["status"], order["externalStatus"]) == ("Completed", "shipped")
    assert order["versionTag"] == jobs[second.job_id]["versionTag"]


async def test_of_two_replaces_with_one_if_match_one_wins(calls: AsyncApiClient) -> None:
    """
    The other is told that the order has moved on.
    """
    body = order_body()
    registered = await calls("POST", "/orders", body, WAIT)
    seen = {"if-match": f'"{registered.body["versionTag"]}"'}
    path = order_path(body["orderId"])

    answers = await asyncio.gather(
        *[calls("PUT", path, body | {"channel": name}, seen) for name in ("web", "shop")]
    )

    jobs = await calls.settled([answer.job_id for answer in answers])
    ends = sorted(job["errors"][0]["status"] for job in jobs.values())
    assert ends == [412, 422]  # the winner's contact is missing, which is no failure
    [winner] = [job for job in jobs.values() if job["status"] != "Failed"]
    order = await calls.order(body["orderId"])
    assert order is not None
    assert order["versionTag"] == winner["versionTag"]


async def test_a_stale_change_is_not_applied(calls: AsyncApiClient, contact: Json) -> None:
    """
    Completed with a warning, in the log too; its action is not fired. Equal is applied.
    """
    body = order_body(contact=contact, lastChangedAt=LATE)
    path = order_path(body["orderId"], "change-status")
    await calls("POST", "/orders", body, WAIT)
    asks = {"orderAction": {"action": "Custom"}}
    late = {"status": "Cancelled", "lastChangedAt": EARLY} | asks

    stale = await calls("POST", path, late)
    delivery = {"delivery": {"method": "Post"}, "lastChangedAt": LATE}
    equal = await calls("POST", order_path(body["orderId"], "change-delivery"), delivery)

    jobs = await calls.settled([stale.job_id, equal.job_id])
    order = await calls.order(body["orderId"])
    log = await calls("GET", f"/integration-log?jobId={stale.job_id}")
    job = jobs[stale.job_id]
    assert (job["status"], job["stages"]["action"]) == ("Completed", "none")
    assert [warning["code"] for warning in job["warnings"]] == ["StaleChange"]
    assert [entry["code"] for entry in log.body["items"]] == ["StaleChange"]
    assert order is not None
    assert (order["status"], order["delivery"]) == ("InProgress", {"method": "Post"})


async def test_if_match_overrules_the_clock(calls: AsyncApiClient) -> None:
    """
    Whoever names the version has seen what it changes: an old lastChangedAt doesn't matter.
    """
    body = order_body(lastChangedAt=LATE)
    await calls("POST", "/orders", body, WAIT)
    change = {"status": "Cancelled", "lastChangedAt": EARLY}
    path = order_path(body["orderId"], "change-status")

    answer = await calls("POST", path, change, WAIT | {"if-match": "*"})

    order = await calls.order(body["orderId"])
    assert answer.body["warnings"] == []
    assert order is not None
    assert order["status"] == "Cancelled"


async def test_a_delivery_changes_field_by_field(calls: AsyncApiClient) -> None:
    """
    Absent fields stay, null clears.
    """
    body = order_body(delivery={"method": "Post", "trackingNumber": "1"})
    await calls("POST", "/orders", body, WAIT)
    change = {"delivery": {"method": None, "trackingUri": "https://a.example"}}
    path = order_path(body["orderId"], "change-delivery")

    await calls("POST", path, change | {"lastChangedAt": LATE}, WAIT)

    order = await calls.order(body["orderId"])
    assert order is not None
    assert order["delivery"] == {"trackingNumber": "1", "trackingUri": "https://a.example"}


async def test_an_action_waits_for_what_enrichment_finds(
    stack: RunningStack, calls: AsyncApiClient
) -> None:
    """
    202 while nobody has looked for the contact; its job fails 422, and later calls do at once.
    """
    body = order_body()
    path = order_path(body["orderId"], "action")
    with paused(stack, "enricher"):
        registered = await calls("POST", "/orders", body, WAIT)
        asks = {"action": "ConfirmOrder", "versionTag": registered.body["versionTag"]}
        early = await calls("POST", path, asks)
        pending = await calls("GET", early.headers["location"])

    jobs = await calls.settled([registered.job_id, early.job_id])
    late = await calls("POST", path, asks)

    assert (early.status, pending.status) == (202, 200)
    failed = jobs[early.job_id]
    assert (failed["status"], failed["errors"][0]["code"]) == ("Failed", "ContactMissing")
    assert failed["stages"]["action"] == "dropped"
    assert (late.status, late.code) == (422, "ContactMissing")


async def test_a_bulk_that_suppresses_actions_fires_none(
    calls: AsyncApiClient, contact: Json
) -> None:
    """
    History is imported without telling customers again.
    """
    body = order_body(contact=contact, orderAction={"action": "ConfirmOrder"})

    answer = await calls("POST", "/orders/bulk?actions=suppress", [body])

    job_id = answer.body["rows"][0]["jobId"]
    jobs = await calls.settled([job_id])
    assert jobs[job_id]["stages"] == {"storage": "done", "enrichment": "done", "action": "none"}
