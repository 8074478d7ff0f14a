"""What is bounded of what a client may take, and what a proxy may do to its headers."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from pymongo import MongoClient

from support.builders.bodies import Json, contact_body, line, matching, order_body, unique
from support.stack.api_client import ApiClient
from support.stack.extra_gateway import extra_gateway
from support.stack.running_stack import RunningStack
from support.stack.wait import until

MIB = 1024 * 1024
LARGE_ORDERS = 12  # of some 450 KB each: more than a page holds


@pytest.fixture
def api(stack: RunningStack) -> ApiClient:
    return ApiClient(stack)


def posted(stack: RunningStack, path: str, body: Json, *headers: tuple[str, str]) -> Json:
    """Post over a client that leaves the values of headers as they are."""
    url = urlsplit(stack.gateway)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=30)
    connection.putrequest("POST", f"/api/v3{path}")
    content = json.dumps(body).encode()
    for name, value in (*headers, ("content-length", str(len(content)))):
        connection.putheader(name, value)
    connection.endheaders(content)
    response = connection.getresponse()
    found: Json = json.loads(response.read())
    return found | {"httpStatus": response.status}


def test_blanks_behind_headers_change_nothing(stack: RunningStack, api: ApiClient) -> None:
    """The key is known, and the retry without them is the same request."""
    once, body = unique("once"), order_body()
    api.stored(api.registered(body))
    path = f"/orders/{body['orderId']}/change-status"
    change = {"status": "Completed", "lastChangedAt": "2025-11-28T11:00:00Z"}

    def changed(blank: str) -> Json:
        return posted(
            stack,
            path,
            change,
            ("apikey", stack.apikey + blank),
            ("content-type", f"application/json{blank}"),
            ("idempotency-key", once + blank),
            ("accept", ""),
            ("prefer", f"respond-async{blank}"),
            ("Prefer", f"Wait=20{blank}"),
        )

    jobs = [changed(blank) for blank in (" ", "", "\t ")]

    assert [job["httpStatus"] for job in jobs] == [200, 200, 200]
    assert len({job["jobId"] for job in jobs}) == 1


def test_a_claim_of_a_gateway_that_kept_the_blanks_is_found(
    stack: RunningStack, api: ApiClient
) -> None:
    """Its job is answered, and nothing is published; another request is refused."""
    once, body = unique("once"), order_body()
    headers = [("apikey", stack.apikey), ("content-type", "application/json")]
    first = posted(stack, "/orders", body, *headers, ("idempotency-key", f"{once} "))
    api.stored(first["jobId"])
    client = stack.apikey.partition(".")[0]
    trimmed, before = (sha256(f"{client}/{it}".encode()).hexdigest() for it in (once, f"{once} "))
    with MongoClient[Json](stack.mongo) as mongo:
        claims = mongo["ordermill"]["idempotency"]
        assert claims.find_one({"_id": before})
        assert claims.delete_one({"_id": trimmed}).deleted_count == 1

    again = posted(stack, "/orders", body, *headers, ("idempotency-key", f"{once} "))
    other = posted(stack, "/orders", order_body(), *headers, ("idempotency-key", f"{once} "))

    assert (again["httpStatus"], again["jobId"]) == (202, first["jobId"])
    assert (other["httpStatus"], other["code"]) == (422, "IdempotencyKeyReused")


def test_the_reference_page_has_the_usual_security_headers(api: ApiClient) -> None:
    headers = api.client.get(f"{api.base}/docs").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def large_order(contact: Json) -> Json:
    lines = [line(description="d" * 380) for _ in range(800)]
    return order_body(contact=contact, lines=lines)


def test_a_page_of_large_orders_ends_early(
    stack: RunningStack, api: ApiClient, tmp_path: Path
) -> None:
    """Its links lead over all of them, forward and back; so does the list of what changed."""
    known, since = contact_body(), datetime.now(UTC) - timedelta(seconds=1)
    file = tmp_path / "contacts.ndjson"
    file.write_text(json.dumps(known))
    stack.orders("reference", "load", str(file))
    orders = [large_order(matching(known)) for _ in range(LARGE_ORDERS)]
    jobs = [api.settled(job_id) for job_id in [api.registered(order) for order in orders]]
    assert {job["status"] for job in jobs} == {"Completed"}
    ids = [order["orderId"] for order in orders]

    listed = f"{api.base}/orders?contactId={known['contactId']}&count=100"
    forward = pages(api, listed, "next")
    back = pages(api, links(forward[-1])["previous"], "previous")
    changed = pages(api, f"{api.base}/orders?changedSince={since:%Y-%m-%dT%H:%M:%SZ}", "next")

    assert found(forward) == ids[::-1]
    assert sorted([*found(back), *items(forward[-1])]) == sorted(ids)
    assert set(ids) <= set(found(changed))
    for page in [*forward, *back, *changed]:
        assert len(json.dumps(page)) < 6 * MIB
    assert len(forward) == 2


def links(page: Json) -> Json:
    return {link["rel"]: link["href"] for link in page["links"]}


def items(page: Json) -> list[str]:
    return [order["orderId"] for order in page["items"]]


def found(pages: list[Json]) -> list[str]:
    return [order_id for page in pages for order_id in items(page)]


def pages(api: ApiClient, url: str, rel: str) -> list[Json]:
    read: list[Json] = []
    while url:
        response = api.client.get(url)
        assert response.status_code == 200
        read.append(response.json())
        url = links(read[-1]).get(rel, "")
    return read


def test_who_finds_no_memory_left_is_told_to_come_back(stack: RunningStack) -> None:
    """A bulk on its way holds what there is for bulks; single commands have their own."""
    headers = {"apikey": stack.apikey, "content-type": "application/x-ndjson"}
    with extra_gateway(stack, BODY_BYTES=str(8 * MIB)) as gateway:
        url = f"http://127.0.0.1:{gateway.port}/api/v3/orders"
        with begun_bulk(gateway.port, stack.apikey):
            name = 'ordermill_gateway_memory_bytes{kind="bulks"}'
            until(lambda: gateway.metric(name) == 8 * MIB, of="the bulk")
            row = json.dumps(order_body())
            with ThreadPoolExecutor() as pool:
                refused = pool.submit(
                    httpx.post, f"{url}/bulk", content=row, headers=headers, timeout=30
                )
                single = httpx.post(url, json=order_body(), headers={"apikey": stack.apikey})
                answer = refused.result()
        until(lambda: gateway.metric(name) == 0, of="the end of the bulk")
        again = httpx.post(f"{url}/bulk", content=row, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (503, "Overloaded")
    assert answer.headers["retry-after"] == "1"
    assert (single.status_code, again.status_code) == (202, 202)


def begun_bulk(port: int, apikey: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    head = "POST /api/v3/orders/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}apikey: {apikey}\r\nContent-Length: {8 * MIB}\r\n\r\n[".encode())
    return connection


def test_the_health_port_serves_who_asks_however_many_are_silent(stack: RunningStack) -> None:
    """Each connection has a thread; a silent one makes room for another."""
    with extra_gateway(stack) as gateway:
        port = urlsplit(gateway.health).port
        silent = [socket.create_connection(("127.0.0.1", port or 0)) for _ in range(50)]
        assert gateway.probe("/livez") == 200
        assert gateway.metric("process_open_fds") > 0
        for connection in silent:
            connection.close()
