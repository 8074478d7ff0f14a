"""The router: which handler is called, and what is answered where it refuses or there is none."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Scope

from gateway.adapters.read_store import DatabaseUnavailable
from gateway.domain.problem_error import ProblemError
from gateway.http.router import Handler, Router
from gateway.routes import pages
from order_contracts.decoding import Invalid
from order_contracts.errors import FieldError
from order_contracts.routes import BASE_PATH

ERRORS = tuple(FieldError(pointer=f"/{n}", code="Invalid", message="Is wrong") for n in range(2))


def named(name: str) -> Handler:
    async def answer(request: Request) -> Response:
        return PlainTextResponse(f"{name} {request.path_params}" if "{" in name else name)

    return answer


def refusing(error: Exception) -> Handler:
    async def refuse(_: Request) -> Response:
        raise error

    return refuse


CALLS = {
    "/orders": {"GET": named("list"), "POST": named("register")},
    "/orders/bulk": {"POST": named("bulk")},
    "/orders/{order_id}": {"GET": named("get {order_id}"), "DELETE": named("delete")},
    "/orders/{order_id}/history": {"GET": named("history {order_id}")},
    "/refused": {"GET": refusing(ProblemError("Forbidden", "No.", headers={"x-why": "scope"}))},
    "/invalid": {"GET": refusing(Invalid(ERRORS)), "POST": refusing(Invalid(ERRORS[:1]))},
    "/away": {"GET": refusing(DatabaseUnavailable())},
    "/crash": {"GET": refusing(ZeroDivisionError())},
}


@dataclass
class Answer:
    scope: Scope
    messages: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        self.messages.append(dict(message))

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])

    @property
    def problem(self) -> dict[str, Any]:
        problem: dict[str, Any] = json.loads(self.body)
        return problem


async def ask(method: str, path: str) -> Answer:
    scope: Scope = {
        "type": "http",
        "method": method,
        "scheme": "https",
        "server": ("test", 80),
        "path": path,
        "query_string": b"",
        "headers": [],
        "state": {},
    }
    answer = Answer(scope)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    await Router(CALLS, pages("https://orders.example.com"))(answer.scope, receive, answer.send)
    return answer


@pytest.mark.parametrize(
    ("method", "path", "called", "route"),
    [
        ("GET", "/orders", "list", "/orders"),
        ("HEAD", "/orders", "list", "/orders"),
        ("POST", "/orders", "register", "/orders"),
        ("POST", "/orders/bulk", "bulk", "/orders/bulk"),
        ("GET", "/orders/a b\n", "get {order_id} {'order_id': 'a b\\n'}", "/orders/{order_id}"),
        (
            "GET",
            "/orders/x/history",
            "history {order_id} {'order_id': 'x'}",
            "/orders/{order_id}/history",
        ),
    ],
)
async def test_a_handler_is_called_by_method_and_path(
    method: str, path: str, called: str, route: str
) -> None:
    answer = await ask(method, path)
    assert (answer.status, answer.body.decode()) == (200, called)
    assert answer.scope["state"]["route"] == route


@pytest.mark.parametrize(
    "path", ["/", "", "/orders/", "/orders\n", "/orders/x/", "/orders/x/y", "/Orders", "//orders"]
)
async def test_there_is_nothing_at_another_path(path: str) -> None:
    answer = await ask("GET", path)
    assert (answer.status, answer.problem["code"]) == (404, "NotFound")
    assert "route" not in answer.scope["state"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/orders", "GET, HEAD, POST"),
        ("GET", "/orders/bulk", "POST"),
        ("HEAD", "/orders/bulk", "POST"),
        ("POST", "/orders/x", "DELETE, GET, HEAD"),
        ("POST", f"{BASE_PATH}/docs", "GET, HEAD"),
    ],
)
async def test_a_path_without_the_method_tells_those_it_has(
    method: str, path: str, allowed: str
) -> None:
    """And is matched all the same: /orders/bulk is no order."""
    answer = await ask(method, path)
    assert (answer.status, answer.problem["code"]) == (405, "MethodNotAllowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("page", "content_type"),
    [("openapi.json", "application/json"), ("docs", "text/html; charset=utf-8")],
)
async def test_the_calls_are_described_by_a_document_and_a_page(
    method: str, page: str, content_type: str
) -> None:
    answer = await ask(method, f"{BASE_PATH}/{page}")
    assert (answer.status, answer.headers["content-type"]) == (200, content_type)
    assert answer.scope["state"]["route"] == f"{BASE_PATH}/{page}"


async def test_a_refusal_is_answered_with_its_problem_and_headers() -> None:
    answer = await ask("GET", "/refused")
    assert (answer.status, answer.problem["code"]) == (403, "Forbidden")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-why"] == "scope"


@pytest.mark.parametrize(
    ("method", "detail", "pointers"),
    [("GET", "The request has 2 errors.", ["/0", "/1"]), ("POST", "It has an error.", ["/0"])],
)
async def test_all_errors_of_a_request_are_answered(
    method: str, detail: str, pointers: list[str]
) -> None:
    answer = await ask(method, "/invalid")
    assert (answer.status, answer.problem["code"]) == (400, "ValidationFailed")
    assert answer.problem["detail"] == detail
    assert [error["pointer"] for error in answer.problem["errors"]] == pointers


async def test_a_database_that_is_away_is_worth_another_try() -> None:
    answer = await ask("GET", "/away")
    assert (answer.status, answer.problem["code"]) == (503, "DatabaseUnavailable")
    assert answer.headers["retry-after"] == "1"


async def test_an_error_that_nobody_expected_is_not_the_routers_to_answer() -> None:
    """It is logged and answered by who surrounds it."""
    with pytest.raises(ZeroDivisionError):
        await ask("GET", "/crash")
