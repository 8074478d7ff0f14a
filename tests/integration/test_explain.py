"""What `orders explain` tells: all that happened, in order of time, and what is waited for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from order_contracts.derived_ids import action_id
from support.builders.bodies import Json, article_body, contact_body, matching, order_body, unique
from support.builders.raw_records import RawRecord
from support.stack.api_client import ApiClient
from support.stack.kafka_records import publish_records
from support.stack.running_stack import RunningStack, paused
from support.stack.wait import until
from support.stack.webhook_receiver import set_behaviour

pytestmark = pytest.mark.stack


@pytest.fixture
def api(stack: RunningStack) -> ApiClient:
    return ApiClient(stack)


@pytest.fixture(autouse=True)
def receiver_behaves(stack: RunningStack) -> Iterator[None]:
    yield
    set_behaviour(stack.receiver, times=0)


def explained(stack: RunningStack, subject: str) -> Json:
    found: Json = json.loads(stack.orders("explain", subject, "--json").stdout)
    return found


def once(stack: RunningStack, subject: str, said: str) -> Json:
    """Return the explanation that ends with *said*."""

    def look() -> Json | None:
        found = explained(stack, subject)
        return found if said in found["now"] else None

    return until(look, seconds=60, of=f"{said!r} of {subject}")


def published(stack: RunningStack, body: Json) -> str:
    """Publish a registration as another system does; return its job."""
    job_id = str(uuid4())
    headers = {
        "ce_specversion": "1.0",
        "ce_id": job_id,
        "ce_source": "/erp",
        "ce_type": "RegisterOrder.v1",
    }
    record = RawRecord(body["orderId"], json.dumps(body).encode(), headers)
    publish_records(stack.kafka, [record])
    return job_id


def put(api: ApiClient, body: Json) -> str:
    path = f"{api.base}/orders/{body['orderId']}"
    answer: httpx.Response = api.client.put(path, json=body, headers={"prefer": "wait=20"})
    return str(answer.json()["jobId"])


def publish_contact(stack: RunningStack, body: Json) -> None:
    record = RawRecord(body["contactId"], json.dumps(body).encode(), {})
    publish_records(stack.kafka, [record], topic="reference.contacts")


def assert_told_in_order(events: list[Json], registered: str, replaced: str) -> None:
    """Each service's part is told, of the right job: from the first command to the webhook."""
    told = [(it["by"], it["jobId"], it["what"]) for it in events]
    assert [(by, job_id) for by, job_id, _ in told[:3]] == [
        ("order-writer", registered),
        ("enricher", registered),
        ("order-writer", replaced),
    ]
    trigger = [it for it in told if it[0] == "action-trigger"]
    rest = told[3 : -len(trigger)]
    assert {it[:2] for it in rest} == {("enricher", registered), ("enricher", replaced)}
    what = [it for *_, it in told]
    assert what[0].startswith("RegisterOrder from /erp was applied as version ")
    assert what[1].startswith("ContactMissing (ContactId): ")
    assert what[2].startswith("ReplaceOrder over HTTP by ")
    assert what[2].endswith(", and asked for ConfirmOrder.")
    assert "Fired ConfirmOrder, which had been held for the contact." in what
    assert {job_id for _, job_id, _ in trigger} == {replaced}
    assert [it.split(" after ")[0] for *_, it in trigger] == [
        f"Recorded ConfirmOrder as delivery {action_id(replaced)}.",
        "Attempt 1 of ConfirmOrder: status 400",
        "Attempt 2 of ConfirmOrder: status 400",
        "A record of orders.actions became a dead letter: ActionFailed.",
        "Attempt 3 of ConfirmOrder: status 204",
        "ConfirmOrder was delivered.",
    ]
    times = [it["at"] for it in events]
    assert times == sorted(times)


def test_an_order_is_told_from_its_command_to_its_webhook(
    stack: RunningStack, api: ApiClient, tmp_path: Path
) -> None:
    """Registered by Kafka, replaced over HTTP; its contact comes late, its action fails twice."""
    contact, article = contact_body(), article_body()
    articles = tmp_path / "articles.ndjson"
    articles.write_text(json.dumps(article))
    stack.orders("reference", "load", "--wait", str(articles))
    lines = [{"type": "Purchase", "sku": article["sku"], "quantity": 1, "totalPrice": 9.9}]
    body = order_body(contact=matching(contact), lines=lines)
    order_id = body["orderId"]
    registered = published(stack, body)
    once(stack, order_id, "it waits for its contact, since no contact matches its key")
    replaced = put(api, body | {"orderAction": {"action": "ConfirmOrder"}})
    held = once(stack, order_id, "ConfirmOrder is held until")
    assert held["waits"]

    set_behaviour(stack.receiver, status=400, times=2)
    publish_contact(stack, contact)
    for attempts in (1, 2):
        failed = once(stack, order_id, "failed for good (The endpoint answered 400)")
        assert len([it for it in failed["events"] if "Attempt" in it["what"]]) == attempts
        assert f"`orders deliveries replay {action_id(replaced)}`" in failed["now"]
        stack.orders("deliveries", "replay", action_id(replaced))
    found = once(stack, order_id, "ConfirmOrder was delivered at")

    assert ", InProgress, linked to its contact; ConfirmOrder was" in found["now"]
    assert not found["waits"]
    assert_told_in_order(found["events"], registered, replaced)
    assert contact["email"] not in json.dumps(found)
    for subject in (replaced, action_id(replaced)):
        of_job = explained(stack, subject)
        assert {it["jobId"] for it in of_job["events"]} == {replaced}
        assert of_job["now"].startswith("The command was applied as version ")
        assert "; ConfirmOrder was delivered at" in of_job["now"]


def test_an_action_that_never_fired_says_why(stack: RunningStack, api: ApiClient) -> None:
    body = order_body(orderAction={"action": "ConfirmOrder"})
    first = api.registered(body)
    once(stack, body["orderId"], "ConfirmOrder is held until")
    put(api, body)
    why = "ConfirmOrder never fired, because the order was replaced before its contact was found"
    assert why in once(stack, first, "never fired")["now"]


def test_an_order_that_was_refused_says_why(stack: RunningStack) -> None:
    body = order_body()
    del body["status"]
    published(stack, body)
    found = once(stack, body["orderId"], "was refused with 400 ValidationFailed")
    assert found["now"].startswith("The order was never stored; a command that could not be read")
    assert "(/status: Is required)" in found["events"][0]["what"]
    assert found["events"][0]["what"].startswith("A command that could not be read from /erp was")


def test_a_service_that_stands_still_is_what_is_waited_for(
    stack: RunningStack, api: ApiClient
) -> None:
    body = order_body()
    with paused(stack, "enricher"):
        api.registered(body)
        found = explained(stack, body["orderId"])
    assert "the enricher has not checked RegisterOrder of" in found["now"]
    assert found["waits"]


def test_what_nobody_knows_names_the_next_step(stack: RunningStack) -> None:
    done = stack.orders("explain", unique("order"), check=False)
    assert done.returncode == 1
    assert "There is no order, job or delivery" in done.stderr
    assert "orders lag" in done.stderr
