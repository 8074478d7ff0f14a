"""Header fields as RFC 9110 has them: blanks at the ends, lists on several lines."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from starlette.requests import Request

import gateway
from gateway.domain.field_values import FieldValues
from gateway.domain.problem_error import ProblemError
from gateway.http import request_body
from gateway.http.admission import Admission
from gateway.http.memory_budget import Memory
from gateway.http.rate_limits import RateLimits
from gateway.http.request_body import JSON, MAX_BODY, media_type, read_json
from gateway.http.request_context import Exchange
from order_runtime.auth.api_keys import SCOPES, KeyFile

MODULES = sorted(Path(gateway.__file__).parent.rglob("*.py"))


def request(*lines: tuple[str, str], body: bytes = b"") -> Request:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in lines]

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b""}
    state = {"client": "shop", "reservations": [], "memory": Memory()}
    return Request({**scope, "headers": headers, "state": state}, receive)


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


def admitted(keys: KeyFile, *lines: tuple[str, str]) -> None:
    key = keys.new("shop", SCOPES)
    Admission(keys, RateLimits(), Memory()).admit(request(("apikey", key), *lines), "orders:read")


def test_names_have_no_case_and_values_no_blanks_at_their_ends() -> None:
    values = FieldValues([(b"ApiKey", b" \tk 1\t ")])
    assert dict(values) == {"apikey": "k 1"}
    assert len(values) == 1
    assert values.get("accept") is None


def test_a_blank_of_another_kind_is_part_of_a_value() -> None:
    """RFC 9110 knows space and tab alone; a no-break space belongs to the value."""
    assert FieldValues([(b"apikey", b"k\xa0")])["apikey"] == "k\xa0"


def test_the_lines_of_a_list_are_one_list() -> None:
    lines = [(b"accept", b"text/html "), (b"accept", b" "), (b"Accept", b"*/*")]
    assert FieldValues(lines)["accept"] == "text/html, */*"


def test_of_any_other_field_the_first_line_counts() -> None:
    assert FieldValues([(b"apikey", b"a"), (b"apikey", b"b")])["apikey"] == "a"


@pytest.mark.parametrize(("line", "sent"), [("a", None), ("a ", "a "), ("", None), ("\t", "\t")])
def test_a_line_is_known_as_it_was_sent_where_that_is_another_value(
    line: str, sent: str | None
) -> None:
    assert FieldValues([(b"x", line.encode())]).untrimmed("x") == sent
    assert FieldValues([]).untrimmed("x") is None


def test_headers_are_read_in_one_place() -> None:
    """Else the next header that is read would be read with its blanks again."""
    readers = {it.name for it in MODULES if 'scope["headers"]' in it.read_text()}
    assert readers == {"request_fields.py"}
    others = re.compile(r"(request|\))\.headers")
    assert not [it for it in MODULES if others.search(it.read_text())]


@pytest.mark.parametrize(
    "accept",
    ["", " ", ",", "*", "text/html, *; q=.2", "text/html;q=0", "application/json;v=1", "*/* "],
)
def test_accept_that_takes_json(keys: KeyFile, accept: str) -> None:
    admitted(keys, ("accept", accept))


def test_accept_may_come_on_several_lines(keys: KeyFile) -> None:
    admitted(keys, ("accept", "text/html"), ("accept", "*/* "))


@pytest.mark.parametrize(
    "accept", ["text/html", "text/html, */*;q=0", "text/a, */*;v=1; q=0.000", "a/b, *;q=0.0"]
)
def test_accept_that_takes_no_json(keys: KeyFile, accept: str) -> None:
    with pytest.raises(ProblemError) as refused:
        admitted(keys, ("accept", accept))
    assert refused.value.problem.code == "NotAcceptable"


@pytest.mark.parametrize("name", ["apikey", "x-api-key"])
def test_a_key_is_known_with_blanks_at_its_ends(keys: KeyFile, name: str) -> None:
    key = keys.new("shop", SCOPES)
    sent = (
        request((name, f" {key}\t"), ("apikey", " "))
        if name != "apikey"
        else request((name, f"{key} "))
    )
    assert Admission(keys, RateLimits(), Memory()).admit(sent, "orders:read").name == "shop"


async def test_a_body_is_read_whatever_blanks_are_behind_its_headers() -> None:
    lines = (
        ("content-type", "application/json ; charset=UTF-8 "),
        ("content-encoding", "identity\t"),
        ("content-encoding", "Identity"),
        ("content-length", "2 "),
    )
    assert media_type(request(*lines)) == JSON
    assert await read_json(request(*lines, body=b"{}")) == {}


async def test_a_length_with_a_blank_behind_it_is_refused_before_the_body_is_read() -> None:
    lines = (("content-type", JSON), ("content-length", "9999999 "))
    with pytest.raises(ProblemError) as refused:
        await read_json(request(*lines, body=b"{}"))
    assert refused.value.problem.code == "TooLarge"


async def test_a_body_that_comes_too_slowly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.05)

    async def receive() -> dict[str, object]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b" ", "more_body": True}

    slow = Request(request(("content-type", JSON)).scope, receive)
    with pytest.raises(ProblemError) as refused:
        await read_json(slow)
    assert (refused.value.problem.code, refused.value.problem.status) == ("RequestTimeout", 408)


@pytest.mark.parametrize(
    ("lines", "size"), [([("content-length", "2")], 2), ([], MAX_BODY)], ids=["known", "unknown"]
)
async def test_memory_is_reserved_for_a_body(lines: list[tuple[str, str]], size: int) -> None:
    """Of one that tells no length, as much as it may have."""
    sent = request(("content-type", JSON), *lines, body=b"{}")
    await read_json(sent)
    assert [it.size for it in sent.state.reservations] == [size]
    assert sent.state.reservations[0].budget is sent.state.memory.commands


@pytest.mark.parametrize("encoding", ["gzip ", "identity, gzip"])
async def test_a_compressed_body_is_refused(encoding: str) -> None:
    with pytest.raises(ProblemError) as refused:
        await read_json(request(("content-type", JSON), ("content-encoding", encoding)))
    assert refused.value.problem.code == "UnsupportedMediaType"


def test_the_callers_name_of_a_request_is_kept_with_a_blank_behind_it() -> None:
    async def send(_: object) -> None:
        pass

    sent = request(("x-request-id", "caller-1 "))
    assert Exchange(sent.scope, send).request_id == "caller-1"
