"""Webhooks over real sockets: what an endpoint of bytes answers, and what is made of it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
import uvloop
from pydantic import SecretStr

from action_trigger.adapters import http_connection, http_connections
from action_trigger.adapters.http_connections import HttpConnections
from action_trigger.adapters.http_sender import HttpSender, SendResult
from action_trigger.domain.endpoint import Endpoint
from action_trigger.domain.retry_policy import NoResponse, Response
from support.harness.raw_endpoint import RawEndpoint

AT = datetime(2025, 12, 1, 12, tzinfo=UTC)
SECRET = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = b"Content-Length: 0\r\n\r\n"
LONG = b"Content-Security-Policy: script-src " + b"https://cdn.shop.example " * 400 + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def event_loop_policy() -> object:
    """The loop that the action-trigger has: its transports behave in their own way."""
    return uvloop.EventLoopPolicy()


async def sent(
    endpoint: RawEndpoint, times: int = 1, *, seconds: float = 2.0, host: str = "127.0.0.1"
) -> list[SendResult]:
    async with (
        endpoint.serving(),
        http_connections.http_connections(allow_private_addresses=True) as http,
    ):
        url = f"http://{host}:{endpoint.port}/h%20k?a=b#c"
        headers = {"X-Own": SecretStr("schlüssel"), "user-agent": SecretStr("ours")}
        target = Endpoint(url=url, secrets=(SECRET,), timeout_seconds=seconds, headers=headers)
        sender = HttpSender(http, target)
        results = []
        for _ in range(times):
            results.append(await sender.send("action-1", '{"a": "ü"}', AT))
            await asyncio.sleep(0.05 if endpoint.closes else 0)  # until that is noticed
        return results


TAKEN = {
    "header-line-of-10-kb": (OK + LONG + EMPTY,),
    "header-line-of-200-kb": (OK, b"A: ", b"x" * 200_000, b"\r\n" + EMPTY),
    "129-header-lines": (OK + b"A: b\r\n" * 129 + EMPTY,),
    "header-without-colon": (OK + b"nothing\r\n" + EMPTY,),
    "header-with-nul": (OK + b"A: \x00\r\n" + EMPTY,),
    "folded-header": (OK + b"A: b\r\n c\r\n" + EMPTY,),
    "two-lengths": (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",),
    "no-number-as-length": (OK + b"Content-Length: abc\r\n\r\n",),
    "broken-chunk": (OK + CHUNKED + b"zz\r\nabc",),
    "chunk-without-an-end": (OK + CHUNKED + b"5\r\nabc",),
    "204-with-a-body": (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",),
    "204-with-bytes": (b"HTTP/1.1 204 No Content\r\n\r\nok",),
    "wrong-encoding": (OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",),
    "phrase-of-20-kb": (b"HTTP/1.1 200 " + b"x" * 20_000 + b"\r\n" + EMPTY,),
    "no-phrase": (b"HTTP/1.1 200\r\n" + EMPTY,),
    "line-feeds": (b"HTTP/1.0 200 OK\n\n",),
    "status-alone": (OK,),
    "after-100": (b"HTTP/1.1 100 Continue\r\n\r\n", OK + EMPTY),
    "length-too-large": (OK + b"Content-Length: 99\r\n\r\nok",),
}


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("parts", TAKEN.values(), ids=TAKEN.keys())
async def test_the_status_decides_whatever_follows_it(
    monkeypatch: pytest.MonkeyPatch, parts: tuple[bytes, ...], *, closes: bool
) -> None:
    """Each webhook was taken: to post it again would be to act twice."""
    monkeypatch.setattr(http_connection, "READ_SECONDS", 0.3)
    endpoint = RawEndpoint(parts, closes)
    results = await sent(endpoint, 2)
    assert {type(it.response) for it in results} == {Response}
    assert {getattr(it.response, "status", 0) for it in results} <= {200, 204}
    assert len(endpoint.requests) == 2


async def test_a_status_without_an_end_is_waited_for_no_longer_than_the_endpoints_time() -> None:
    """Beyond it another worker could have the lease of the partition."""
    started = time.monotonic()
    (result,) = await sent(RawEndpoint((OK + b"A: ",)), seconds=0.3)
    assert result.response == Response(200)
    assert time.monotonic() - started < 2


async def test_retry_after_is_read_behind_a_header_that_is_too_long() -> None:
    parts = (b"HTTP/1.1 503 Busy\r\n" + LONG + b"Retry-After: 120\r\n" + EMPTY,)
    (result,) = await sent(RawEndpoint(parts))
    assert result.response == Response(503, "120")


@pytest.mark.parametrize(
    ("parts", "reason"),
    [((), "Disconnected"), ((b"HTTP/1.1 2",), "Disconnected"), ((b"hello\r\n",), "BadStatusLine")],
)
async def test_without_a_status_there_is_no_response(parts: tuple[bytes, ...], reason: str) -> None:
    (result,) = await sent(RawEndpoint(parts, closes=True))
    assert (result.response, result.excerpt) == (NoResponse(reason), reason)


async def test_a_connection_is_used_again_after_a_whole_response() -> None:
    endpoint = RawEndpoint((OK + b"Content-Length: 2\r\n\r\nok",))
    results = await sent(endpoint, 3)
    assert [it.excerpt for it in results] == ["ok", "ok", "ok"]
    assert endpoint.connections == 1


@pytest.mark.parametrize(
    "parts", [(OK + EMPTY + b"x",), (OK + EMPTY, b"x"), (OK + b"Connection: close\r\n" + EMPTY,)]
)
async def test_a_connection_with_bytes_left_over_is_dropped(parts: tuple[bytes, ...]) -> None:
    """They could be taken for the answer to the next webhook."""
    endpoint = RawEndpoint(parts)
    async with (
        endpoint.serving(),
        http_connections.http_connections(allow_private_addresses=True) as http,
    ):
        target = Endpoint(url=f"http://127.0.0.1:{endpoint.port}/", secrets=(SECRET,))
        for _ in range(2):
            result = await HttpSender(http, target).send("action-1", "{}", AT)
            assert result.response == Response(200)
            await asyncio.sleep(0.05)
    assert endpoint.connections == 2


async def test_a_connection_that_is_not_used_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connections, "IDLE_SECONDS", 0.05)
    endpoint = RawEndpoint((OK + EMPTY,))
    async with (
        endpoint.serving(),
        http_connections.http_connections(allow_private_addresses=True) as http,
    ):
        target = Endpoint(url=f"http://127.0.0.1:{endpoint.port}/", secrets=(SECRET,))
        for _ in range(2):
            await HttpSender(http, target).send("action-1", "{}", AT)
            await asyncio.sleep(0.2)
    assert endpoint.connections == 2


async def test_what_is_sent_is_http() -> None:
    endpoint = RawEndpoint((OK + EMPTY,))
    await sent(endpoint, host="localhost")
    head, _, body = endpoint.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    assert lines[0] == "POST /h%20k?a=b HTTP/1.1"
    assert body.decode() == '{"a": "ü"}'
    assert fields["host"] == f"localhost:{endpoint.port}"
    assert fields["content-length"] == str(len(body))
    assert (fields["content-type"], fields["accept-encoding"]) == ("application/json", "identity")
    assert (fields["x-own"], fields["user-agent"]) == ("schlüssel", "ours")
    assert fields["webhook-id"] == "action-1"
    assert len(fields) == len(lines) - 1


async def test_a_name_that_leads_to_a_private_address_is_not_connected_to() -> None:
    """Names are resolved here, and the addresses that were looked at are the ones connected to."""
    endpoint = RawEndpoint((OK + EMPTY,))
    async with (
        endpoint.serving(),
        http_connections.http_connections(allow_private_addresses=False) as http,
    ):
        for host in ("localhost", "127.0.0.1"):
            target = Endpoint(url=f"http://{host}:{endpoint.port}/", secrets=(SECRET,))
            result = await HttpSender(http, target).send("action-1", "{}", AT)
            assert result.response == NoResponse("OSError")
    assert endpoint.connections == 0


async def test_an_endpoint_that_is_not_there_is_no_response() -> None:
    endpoint = RawEndpoint()
    async with endpoint.serving():
        pass
    http = HttpConnections(allow_private_addresses=True)
    target = Endpoint(url=f"http://127.0.0.1:{endpoint.port}/", secrets=(SECRET,))
    result = await HttpSender(http, target).send("action-1", "{}", AT)
    assert result.response == NoResponse("ConnectionRefusedError")


async def test_plain_http_at_an_https_endpoint_is_no_response() -> None:
    endpoint = RawEndpoint()
    async with (
        endpoint.serving(),
        http_connections.http_connections(allow_private_addresses=True) as http,
    ):
        target = Endpoint(
            url=f"https://127.0.0.1:{endpoint.port}/", secrets=(SECRET,), timeout_seconds=1
        )
        result = await HttpSender(http, target).send("action-1", "{}", AT)
    assert isinstance(result.response, NoResponse)
