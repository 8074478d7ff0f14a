"""The receiver verifies what the automation trigger would, and fails when it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from standardwebhooks import Webhook

from order_stack.cluster.webhook_receiver import Receiver

SECRET = "whsec_" + "c2VjcmV0" * 4
BODY = '{"type":"order.action","data":{"actionId":"1"}}'

Client = TestClient  # the library's generic; its parameters say nothing here


@pytest.fixture
async def client() -> AsyncIterator[Client]:  # type: ignore[type-arg]
    async with TestClient(TestServer(Receiver(SECRET).app())) as started:
        yield started


async def post(client: Client, secret: str = SECRET) -> ClientResponse:  # type: ignore[type-arg]
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("1", now, BODY),
    }
    return await client.post("/hook", data=BODY, headers=headers)


async def test_a_signed_webhook_is_taken_and_remembered(client: Client) -> None:  # type: ignore[type-arg]
    assert (await post(client)).status == 204
    (received,) = await (await client.get("/received")).json()
    assert received["verified"] is True
    assert received["headers"]["webhook-id"] == "1"
    assert received["body"]["data"] == {"actionId": "1"}


async def test_a_wrong_signature_is_refused_and_remembered(client: Client) -> None:  # type: ignore[type-arg]
    assert (await post(client, "whsec_" + "b3RoZXI=" * 4)).status == 400
    (received,) = await (await client.get("/received")).json()
    assert received["verified"] is False


async def test_it_fails_as_often_as_it_is_told(client: Client) -> None:  # type: ignore[type-arg]
    await client.put("/behaviour", json={"status": 503, "retryAfter": 7, "times": 2})
    answers = [await post(client) for _ in range(3)]
    assert [answer.status for answer in answers] == [503, 503, 204]
    assert answers[0].headers["Retry-After"] == "7"


async def test_a_behaviour_is_replaced_and_a_list_forgotten(client: Client) -> None:  # type: ignore[type-arg]
    await client.put("/behaviour", json={"status": 503, "times": 1000})
    refused = await post(client)
    await client.put("/behaviour", json={"times": 0})
    taken = await post(client)
    assert (refused.status, taken.status) == (503, 204)
    assert len(await (await client.get("/received")).json()) == 2
    await client.delete("/received")
    assert await (await client.get("/received")).json() == []


async def test_what_is_no_behaviour_is_refused(client: Client) -> None:  # type: ignore[type-arg]
    answer = await client.put("/behaviour", json={"status": "often"})
    assert answer.status == 400
