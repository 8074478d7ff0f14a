"""Who calls: what a key opens and how often, and what is remembered of a call."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from support.builders.bodies import Json, matching, order_body, unique
from support.stack.api_client import ApiClient
from support.stack.running_stack import RunningStack
from support.stack.wait import until

SCOPES = ("orders:read", "orders:write", "ops")


@pytest.fixture
def api(stack: RunningStack) -> ApiClient:
    return ApiClient(stack)


def key(stack: RunningStack, *options: str) -> str:
    made = stack.orders("keys", "new", unique("key"), *options, "--json")
    found: str = json.loads(made.stdout)["key"]
    return found


def client(stack: RunningStack, *options: str) -> httpx.Client:
    headers = {"apikey": key(stack, *options)}
    return httpx.Client(base_url=stack.gateway, headers=headers, timeout=30)


def rotated(stack: RunningStack, old: str, *options: str) -> str:
    made = stack.orders("keys", "rotate", old.partition(".")[0], *options, "--json")
    found: str = json.loads(made.stdout)["key"]
    return found


def document(api: ApiClient) -> Any:
    return api.client.get(f"{api.base}/openapi.json").json()


def test_every_call_opens_to_its_scope_alone(stack: RunningStack, api: ApiClient) -> None:
    """
    Each call of the document with a key of each scope; what a body lacks comes after.
    """
    clients = {scope: client(stack, "--scope", scope) for scope in SCOPES}
    for template, calls in document(api)["paths"].items():
        path = re.sub(r"\{.*?\}", unique("id"), template)
        for method, call in calls.items():
            opened = {
                scope: it.request(method, path).status_code != 403 for scope, it in clients.items()
            }
            needed = re.search(r"`(.*?)`", call["description"])
            assert needed
            assert opened == {scope: scope == needed[1] for scope in SCOPES}, template


def test_what_changed_is_for_operators(stack: RunningStack) -> None:
    """
    The list without a contact has another scope than the one with.
    """
    path, query = "/api/v3/orders", {"changedSince": "2025-11-28T00:00:00Z"}

    answers = {
        scope: client(stack, "--scope", scope).get(path, params=query).status_code
        for scope in SCOPES
    }

    assert answers == {"orders:read": 403, "orders:write": 403, "ops": 200}


def test_a_key_that_asks_too_often_is_told_when_to_come_back(stack: RunningStack) -> None:
    """
    429 beyond five a second, with the standard headers; they are on every answer.
    """
    with client(stack, "--rate", "5") as caller, ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: caller.get("/api/v3/orders/x"), range(60)))

    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {404, 429}
    assert {answer.json()["code"] for answer in refused} == {"RateLimited"}
    assert {answer.headers["ratelimit-remaining"] for answer in refused} == {"0"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"5"}
    assert all(answer.headers["ratelimit-reset"].isdigit() for answer in answers)


def test_a_retry_with_a_rotated_key_is_answered_with_the_first_job(
    stack: RunningStack, api: ApiClient
) -> None:
    """
    An Idempotency-Key is the client's, whichever of its keys it came with, and nobody else's.
    """
    old, order = key(stack), order_body()
    rows = [order_body() for _ in range(2)]
    path, once = "/api/v3/orders", {"idempotency-key": unique("once")}

    def asked(apikey: str, path: str, body: Any) -> httpx.Response:
        headers = {"apikey": apikey} | once
        return httpx.post(f"{stack.gateway}{path}", json=body, headers=headers, timeout=30)

    first, bulk = asked(old, path, order), asked(old, f"{path}/bulk", rows)
    for job_id in (first.json()["jobId"], *(row["jobId"] for row in bulk.json()["rows"])):
        api.stored(job_id)
    beside, last = rotated(stack, old), rotated(stack, old, "--revoke")

    for apikey in (beside, last):
        assert asked(apikey, path, order).json() == first.json()
        assert asked(apikey, f"{path}/bulk", rows).json() == bulk.json()
    assert asked(old, path, order).status_code == 401
    assert asked(key(stack), path, order).json()["code"] == "OrderExists"


def test_a_client_is_listed_with_its_keys_and_no_other_takes_its_name(stack: RunningStack) -> None:
    name = unique("client")
    ids = [key(stack, "--client", name).partition(".")[0]]
    ids.append(rotated(stack, ids[0]).partition(".")[0])
    plain = key(stack).partition(".")[0]

    listed = json.loads(stack.orders("keys", "list", "--json").stdout)
    refused = stack.orders("keys", "new", "other", "--client", name, check=False)
    nobody = stack.orders("keys", "rotate", "nobody", check=False)

    clients = {row["id"]: row["client"] for row in listed}
    assert [clients[it] for it in (*ids, plain)] == [name, name, plain]
    assert (refused.returncode, nobody.returncode) == (1, 1)
    assert f"There is a client or a key {name} already." in " ".join(refused.stderr.split())
    assert "There is no key 'nobody'" in nobody.stderr


def test_a_bulk_counts_once(stack: RunningStack) -> None:
    """
    However many orders it holds.
    """
    with client(stack, "--rate", "5") as caller:
        answer = caller.post("/api/v3/orders/bulk", json=[order_body() for _ in range(20)])

    assert answer.status_code == 202
    assert answer.headers["ratelimit-remaining"] == "4"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("trace-1.a_b~c", True), ("with space", False), ("a" * 129, False), ("<script>", False)],
)
def test_a_request_id_is_kept_if_it_is_one(api: ApiClient, given: str, kept: bool) -> None:
    """
    Else one is made: nobody writes what he likes into the log.
    """
    answer = api.client.get(f"{api.base}/orders/x", headers={"x-request-id": given})

    assert (answer.headers["x-request-id"] == given) is kept
    assert re.fullmatch(r"[A-Za-z0-9._~-]{1,128}", answer.headers["x-request-id"])


def test_the_host_that_a_caller_names_is_in_no_link(stack: RunningStack, api: ApiClient) -> None:
    """
    Links are built from the configured base alone.
    """
    spoofed = {"host": "evil.example", "x-forwarded-host": "evil.example"}
    answer = api.post(order_body(), **spoofed)
    listed = api.client.get(f"{api.base}/orders/jobs?count=1", headers=spoofed)

    assert answer.headers["location"].startswith(f"{stack.gateway}/")
    assert "evil" not in answer.text + listed.text + str(answer.headers) + str(listed.headers)
    assert listed.json()["links"]


def test_the_access_log_tells_of_every_request_and_of_no_person(
    stack: RunningStack, api: ApiClient
) -> None:
    """
    One line each: the route, not the path; the client and its key's id, not the key.
    """
    person = {"contactId": unique("person"), "email": f"{unique('person')}@example.com"}
    body = order_body(unique("secret-order"), contact=matching(person, "Email"))
    ids = [unique("request") for _ in range(4)]
    marks = [{"x-request-id": it} for it in ids]

    api.post(body, **marks[0])
    api.client.get(f"{api.base}/orders/{body['orderId']}", headers=marks[1])
    api.client.get(f"{api.base}/orders?contactId={person['contactId']}", headers=marks[2])
    api.client.get(f"{api.base}/{person['email']}", headers=marks[3])

    lines = [until(partial(line_of, stack, it), of=it) for it in ids]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/api/v3/orders", 202),
        ("GET", "/api/v3/orders/{order_id}", lines[1]["status"]),
        ("GET", "/api/v3/orders", 200),
        ("GET", None, 404),
    ]
    assert lines[0]["client"] == lines[0]["key_id"] == stack.apikey.partition(".")[0]
    private = (*person.values(), body["orderId"], stack.apikey.partition(".")[2])
    assert [it for it in private if it in log_of(stack)] == []


def test_the_access_log_names_who_still_uses_a_revoked_key(stack: RunningStack) -> None:
    key = stack.orders("keys", "new", unique("shop"), "--scope", "orders:read").stdout.split()[-1]
    key_id, mark = key.partition(".")[0], unique("request")
    stack.orders("keys", "revoke", key_id)

    asked = {"apikey": key, "x-request-id": mark}
    refused = httpx.get(f"{stack.gateway}/api/v3/orders/o-1", headers=asked, timeout=10)

    line = until(partial(line_of, stack, mark), of=mark)
    assert refused.status_code == line["status"] == 401
    assert line["client"] == line["key_id"] == key_id


def log_of(stack: RunningStack) -> str:
    return (stack.command.home / stack.name / "logs" / "gateway.log").read_text()


def line_of(stack: RunningStack, request_id: str) -> Json | None:
    lines = (line for line in log_of(stack).splitlines() if request_id in line)
    found = [json.loads(line) for line in lines]
    assert len(found) <= 1
    return found[0] if found else None
