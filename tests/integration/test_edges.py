"""What is no proper request: refused with a problem, whoever refuses it, and never with a 500."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from support.builders.bodies import Json, order_body
from support.stack.api_client import ApiClient
from support.stack.running_stack import RunningStack

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
KB = 1024
JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class Wrong:
    """A request that is refused."""

    method: str
    path: str
    status: int
    code: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def get(path: str, status: int, code: str, **headers: str) -> Wrong:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Wrong("GET", path, status, code, headers=named)


def delete(path: str, status: int, code: str) -> Wrong:
    return Wrong("DELETE", path, status, code)


def post(body: bytes, status: int, code: str, **headers: str) -> Wrong:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Wrong("POST", "/orders", status, code, body, JSON | named)


def invalid(body: bytes, **headers: str) -> Wrong:
    return post(body, 400, "ValidationFailed", **headers)


INVALID = (400, "ValidationFailed")
WRONG = {
    # paths
    "no-such-path": get("/nothing", 404, "NotFound"),
    "trailing-slash": get("/orders/", 404, "NotFound"),
    "hidden-slash": get("/orders/a%2Fb", 404, "NotFound"),
    "hidden-slash-to-a-call": get("/orders/a%2fhistory", 404, "NotFound"),
    "nul-in-id": delete("/orders/a%00b", *INVALID),
    "nul-in-id-read": get("/orders/a%00b", 404, "OrderNotFound"),
    "nul-in-job-id": get("/orders/jobs/a%00b", 404, "JobNotFound"),
    "not-utf8": delete("/orders/%ff%fe", *INVALID),
    "surrogate-in-path": delete("/orders/%ed%a0%80", *INVALID),
    "dots": delete("/orders/%2e%2e", *INVALID),
    "long-id": delete(f"/orders/{'a' * 256}", *INVALID),
    "very-long-id": get(f"/orders/{'a' * 8_000}", 404, "OrderNotFound"),
    # queries
    "unknown-parameter": get("/orders?contactId=a&cout=3", *INVALID),
    "repeated-parameter": get("/orders?contactId=a&contactId=b", *INVALID),
    "query-not-utf8": get("/orders?contactId=%ff", *INVALID),
    "no-contact": get("/orders", *INVALID),
    "no-number": get("/orders?contactId=a&count=many", *INVALID),
    "count-of-another-script": get("/orders?contactId=a&count=%D9%A1", *INVALID),
    "huge-count": get(f"/orders?contactId=a&count={'9' * 5_000}", *INVALID),
    "no-time": get("/orders?changedSince=yesterday", *INVALID),
    "no-status": get("/orders/jobs?status=Done", *INVALID),
    "no-boolean": get("/orders/jobs/x?redirect=maybe", *INVALID),
    "no-continuation": get("/integration-log?continuation=AAAA", *INVALID),
    "deep-continuation": get(f"/integration-log?continuation={'W1tb' * 9_000}", *INVALID),
    # headers
    "no-key": get("/orders/x", 401, "Unauthorized", apikey=""),
    "not-acceptable": get("/orders/x", 406, "NotAcceptable", accept="text/html"),
    "no-if-match": Wrong("DELETE", "/orders/x", *INVALID, headers={"if-match": "abc"}),
    "long-idempotency-key": invalid(b"{}", idempotency_key="k" * 256),
    # types and encodings of bodies
    "no-type": post(b"{}", 415, "UnsupportedMediaType", content_type=""),
    "text": post(b"{}", 415, "UnsupportedMediaType", content_type="text/plain"),
    "charset": post(
        b"{}", 415, "UnsupportedMediaType", content_type="application/json; charset=utf-16"
    ),
    "gzip": post(
        gzip.compress(b" " * 9_000_000), 415, "UnsupportedMediaType", content_encoding="gzip"
    ),
    "check-as-text": Wrong("POST", "/orders/check", 415, "UnsupportedMediaType", b"[]"),
    "bulk-as-text": Wrong("POST", "/orders/bulk", 415, "UnsupportedMediaType", b"[]"),
    # sizes of bodies
    "large": post(b" " * (512 * KB + 1), 413, "TooLarge"),
    "large-bulk": Wrong(
        "POST", "/orders/bulk", 413, "TooLarge", b" " * (8 * KB * KB + 1), headers=JSON
    ),
    "large-check": Wrong(
        "POST", "/orders/check", 413, "TooLarge", b" " * (4 * KB * KB + 1), headers=JSON
    ),
    # what bodies hold
    "empty": invalid(b""),
    "cut-off": invalid(b'{"orderId": "a"'),
    "more-behind": invalid(b"{} {}"),
    "array": invalid(b"[]"),
    "null": invalid(b"null"),
    "nan": invalid(b'{"totalPrice": NaN}'),
    "infinity": invalid(b'{"totalPrice": -Infinity}'),
    "huge-number": invalid(b'{"totalPrice": ' + b"9" * 5_000 + b"}"),
    "huge-exponent": invalid(b'{"totalPrice": 1e999999999}'),
    "deep": invalid(b'{"extraData": ' + b"[" * 100_000),
    "too-deep-for-us": invalid(b'{"extraData": ' + b'{"a":' * 150 + b"1" + b"}" * 151),
    "repeated-key": invalid(b'{"orderId": "a", "orderId": "b"}'),
    "nul": invalid(b'{"orderId": "a\\u0000b"}'),
    "lone-surrogate": invalid(b'{"orderId": "\\ud800"}'),
    "bytes-that-are-no-text": invalid(b'{"orderId": "\xff"}'),
    "utf-16": invalid('{"orderId": "a"}'.encode("utf-16")),
    "byte-order-mark": invalid(b"\xef\xbb\xbf{}"),
    "no-rows": Wrong("POST", "/orders/bulk", *INVALID, b"[]", JSON),
    "no-lines": Wrong("POST", "/orders/bulk", *INVALID, b"\n\n", NDJSON),
    "far-too-many-rows": Wrong("POST", "/orders/bulk", *INVALID, b"x\n" * 4_000_000, NDJSON),
    "too-many-rows": Wrong("POST", "/orders/bulk", *INVALID, b"{}\n" * 1_001, NDJSON),
    "too-many-checked": Wrong(
        "POST",
        "/orders/check",
        *INVALID,
        json.dumps([{"orderId": "a"}] * 5_001).encode(),
        JSON,
    ),
}


@pytest.fixture
def api(stack: RunningStack) -> ApiClient:
    return ApiClient(stack)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_refused_with_a_problem(api: ApiClient, wrong: Wrong) -> None:
    """
    Also what the framework or the HTTP parser refuses: the same form, one code each.
    """
    answer = api.client.request(
        wrong.method, api.base + wrong.path, content=wrong.body, headers=wrong.headers
    )

    assert_problem(answer, wrong.status, wrong.code)


def test_a_body_that_tells_no_length_is_bounded_all_the_same(api: ApiClient) -> None:
    """
    Chunks are counted as they come.
    """
    answer = api.client.post(f"{api.base}/orders", content=chunks(513), headers=JSON)

    assert_problem(answer, 413, "TooLarge")


def test_a_row_of_a_bulk_is_bounded_like_an_order(api: ApiClient) -> None:
    """
    The other rows are accepted.
    """
    good = order_body()
    large = b'{"a": "' + b"a" * (512 * KB) + b'"}'

    answer = api.client.post(
        f"{api.base}/orders/bulk",
        content=json.dumps(good).encode() + b"\n" + large,
        headers=NDJSON,
    )

    assert [row["status"] for row in answer.json()["rows"]] == [202, 413]
    assert answer.status_code == 207


def test_a_path_names_all_its_methods_when_it_refuses_one(api: ApiClient) -> None:
    """
    Every path of the document, every method that it doesn't have.
    """
    for path, calls in document(api)["paths"].items():
        named = {method.upper() for method in calls}
        allowed = named | {"HEAD"} if "GET" in named else named
        for method in set(METHODS) - allowed:
            answer = api.client.request(method, urlsplit(api.base)._replace(path=path).geturl())
            assert_problem(answer, 405, "MethodNotAllowed")
            assert answer.headers["allow"] == ", ".join(sorted(allowed))


def test_head_answers_as_get_does_without_the_body(api: ApiClient) -> None:
    """
    Status and headers are the same.
    """
    job_id = api.registered(order_body())

    got, head = api.job(job_id), api.client.head(f"{api.base}/orders/jobs/{job_id}")

    assert head.content == b""
    assert head.status_code == got.status_code
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"GET /api/v3/orders/\xff HTTP/1.1", id="bytes-in-path"),
        pytest.param(b"GET /" + b"a" * 70_000 + b" HTTP/1.1", id="longest-path"),
        pytest.param(b"hello", id="words"),
    ],
)
def test_what_is_no_http_is_refused_with_a_problem_too(stack: RunningStack, line: bytes) -> None:
    """
    The parser's own answer; then the connection is closed.
    """
    url = urlsplit(stack.gateway)
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(line + b"\r\n\r\n")
        head, _, body = b"".join(iter(lambda: connection.recv(KB), b"")).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["code"] == "ValidationFailed"


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    if answer.request.method != "HEAD":
        problem: Json = answer.json()
        assert (problem["status"], problem["code"]) == (status, code)
        assert problem.keys() >= {"type", "title", "detail", "errors"}


def chunks(kilobytes: int) -> Iterator[bytes]:
    return (b" " * KB for _ in range(kilobytes))


def document(api: ApiClient) -> Any:
    return api.client.get(f"{api.base}/openapi.json").json()
