"""The limits of connections, over real sockets, in front of an application of a few lines."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest
import uvloop
from prometheus_client import REGISTRY

from gateway.http.connection import MAX_FIELDS, MAX_HEAD
from gateway.http.connection_limits import ConnectionLimits, networks
from gateway.http.reading_pace import ReadingPace
from support.builders.certificates import CertificateFiles, certificate_files
from support.harness.http_server import GET, LIMITS, SECONDS, Running, eventually, running

CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def event_loop_policy() -> object:
    """The loop that the gateway has: its transports behave in their own way."""
    return uvloop.EventLoopPolicy()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> CertificateFiles:
    return certificate_files(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=["http", "https"])
async def door(request: pytest.FixtureRequest, files: CertificateFiles) -> AsyncIterator[Running]:
    """The limits hold with TLS as without."""
    async with running(files if request.param == "https" else None) as it:
        yield it


def closed(reason: str) -> float:
    name, labels = "ordermill_gateway_connections_closed_total", {"reason": reason}
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_requests_follow_each_other_on_a_connection(door: Running) -> None:
    client = await door.connect()
    for _ in range(3):
        assert await client.ask(GET + b"\r\n") == 200
        assert await client.reader.readexactly(2) == b"ok"
        await asyncio.sleep(0.01)
    assert await client.ask(GET, b"X: y\r\n\r\n" + GET + b"\r\n") == 200


async def test_a_request_leaves_nothing_to_the_garbage_collector(door: Running) -> None:
    """It seldom runs: what refers to itself would stay, and the body with it."""
    client, count = await door.connect(), 50
    assert await client.ask(GET + b"\r\n") == 200  # a handshake has ended by now
    await client.reader.readexactly(2)
    gc.collect()
    gc.disable()
    try:
        for _ in range(count):
            assert await client.ask(GET + b"\r\n") == 200
            await client.reader.readexactly(2)
        door.app.scopes.clear()
        assert gc.collect() < count
    finally:
        gc.enable()


async def test_a_response_to_head_has_no_body(door: Running) -> None:
    client = await door.connect()
    assert await client.ask(GET.replace(b"GET", b"HEAD") + b"\r\n") == 200
    assert await client.ask(GET + b"\r\n") == 200


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"X: " + b"x" * (MAX_HEAD - 200) + b"\r\n", 200),
        (b"X: " + b"x" * MAX_HEAD + b"\r\n", 431),
        (b"X: y\r\n" * (MAX_FIELDS - 1), 200),
        (b"X: y\r\n" * MAX_FIELDS, 431),
        (b"X: " + b"x" * 1_000 + b"\r\n", 200),
    ],
)
@pytest.mark.parametrize("step", [1 << 30, 4_000])
async def test_headers_have_a_size(door: Running, fields: bytes, status: int, step: int) -> None:
    """Whether they come at once or bit by bit."""
    head = GET + fields + b"\r\n"
    client = await door.connect()
    parts = (head[at : at + step] for at in range(0, len(head), step))
    assert await client.ask(*parts) == status
    if status == 431:
        assert await client.problem() == "HeadersTooLarge"
        assert b"content-type: application/problem+json" in client.head
        assert door.app.scopes == []


@pytest.mark.parametrize("flood", [b"X: " + b"x" * 65_536, b"X: y\r\n" * 10_000, b"X" * 65_536])
async def test_a_flood_of_headers_is_not_taken_in(door: Running, flood: bytes) -> None:
    """152 MB on one connection were, before the key was looked at."""
    client = await door.connect()
    client.writer.write(GET)
    tracemalloc.start()
    with suppress(ConnectionError):
        for _ in range(400):
            client.writer.write(flood)
            await client.writer.drain()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20
    assert await client.status() in {431, 0}


async def test_a_flood_is_not_read_for_ever(door: Running) -> None:
    """To pass it over would cost the others their time: it is left where it is, then cut off."""
    client = await door.connect()
    taken = 0
    with suppress(ConnectionError):
        client.writer.write(GET)
        while taken < 200 << 20:
            client.writer.write(b"X: " + b"x" * 300_000)
            await client.writer.drain()
            taken += 300_000
    assert taken < 100 << 20  # what both sockets hold, and MAX_HEAD


@pytest.mark.parametrize(
    "trailers",
    [b"X: y\r\n" * MAX_FIELDS * 2, b"X: " + b"x" * 400_000],
)
async def test_trailers_are_bounded_like_headers(door: Running, trailers: bytes) -> None:
    client = await door.connect()
    assert await client.ask(CHUNKED + b"1\r\na\r\n0\r\n", trailers) == 431


async def test_a_trailer_becomes_no_header(door: Running) -> None:
    client = await door.connect()
    assert await client.ask(CHUNKED + b"1\r\na\r\n0\r\napikey: b\r\n\r\n") == 200
    assert [name for name, _ in door.app.scopes[0]["headers"]] == [b"host", b"transfer-encoding"]


async def test_chunks_may_be_tiny_and_many_but_their_extensions_end(door: Running) -> None:
    client = await door.connect()
    assert await client.ask(CHUNKED, *[b"1\r\na\r\n"] * 1_000, b"0\r\n\r\n") == 200
    assert door.app.bodies == [b"a" * 1_000]
    assert await (await door.connect()).ask(CHUNKED, b"1;", *[b"x" * 10_000] * 60) == 431


@pytest.mark.parametrize("begun", [b"", b"\r\n"])
async def test_a_silent_connection_is_closed(door: Running, begun: bytes) -> None:
    before, client = closed("silent"), await door.connect()
    client.writer.write(begun)
    assert not await client.ended()
    assert closed("silent") == before + 1


@pytest.mark.parametrize("served", [0, 1])
async def test_headers_that_come_too_slowly_are_answered_408(door: Running, served: int) -> None:
    """Each byte in good time, the whole not: on a new connection, and on one that isn't."""
    client = await door.connect()
    for _ in range(served):
        assert await client.ask(GET + b"\r\n") == 200
        await client.reader.readexactly(2)

    async def drip() -> None:
        with suppress(ConnectionError):
            for byte in GET + b"X: " + b"x" * 1_000:
                client.writer.write(bytes([byte]))
                await asyncio.sleep(SECONDS / 20)

    dripping = asyncio.create_task(drip())
    assert await client.status() == 408
    assert await client.problem() == "RequestTimeout"
    dripping.cancel()


async def test_who_waits_for_an_answer_is_not_hurried(door: Running) -> None:
    """Nor is the request that it began to send meanwhile: the answer comes first."""
    client = await door.connect()
    client.writer.write(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
    await asyncio.sleep(SECONDS * 2)
    door.app.released.set()
    assert await client.status() == 200
    assert await client.reader.readexactly(2) == b"ok"
    assert await client.ask(b"\r\n") == 200


async def test_a_body_that_nobody_reads_ends_its_connection(
    door: Running,
) -> None:
    """It is passed over for a while, so that the client gets to read its answer."""
    client = await door.connect()
    head = b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    assert await client.ask(head) == 200
    await client.reader.readexactly(2)
    client.writer.write(b"x" * 500)
    await asyncio.sleep(SECONDS / 2)
    client.writer.write(b"x" * 499)
    assert not await client.ended()


async def test_a_body_that_ends_in_time_leaves_the_connection_open(door: Running) -> None:
    client = await door.connect()
    head = b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
    assert await client.ask(head) == 200
    await client.reader.readexactly(2)
    assert await client.ask(b"body" + GET + b"\r\n") == 200


async def test_a_large_body_is_passed_over_to_its_end(door: Running) -> None:
    """At a pace, so in several portions; then the connection goes on."""
    client, size = await door.connect(), 8 << 20
    assert (
        await client.ask(b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        == 200
    )
    await client.reader.readexactly(2)
    client.writer.write(b"x" * size)
    await client.writer.drain()
    assert await client.ask(GET + b"\r\n") == 200


def test_all_connections_share_the_pace_of_what_is_passed_over() -> None:
    pace = ReadingPace(1_000)
    assert pace.seconds_after(100, now=5.0) == pytest.approx(0.1)
    assert pace.seconds_after(100, now=5.05) == pytest.approx(0.15)
    assert pace.seconds_after(100, now=9.0) == pytest.approx(0.1)


async def test_who_does_not_read_its_answer_is_closed(door: Running) -> None:
    before, client = closed("unread"), await door.connect()
    client.writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    await door.connections(1)
    await door.connections(0)
    assert closed("unread") == before + 1


async def test_who_stops_reading_its_answer_is_closed(door: Running) -> None:
    """What it has read so far helps it no more than the first byte."""
    before, client = closed("unread"), await door.connect()
    assert await client.ask(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n") == 200
    await client.reader.readexactly(8 << 20)
    await door.connections(0)
    assert closed("unread") == before + 1


async def test_one_connection_too_many_takes_the_place_of_one_that_asked_for_nothing(
    door: Running,
) -> None:
    used, *silent = [await door.connect() for _ in range(LIMITS.connections)]
    assert await used.ask(GET + b"\r\n") == 200
    await used.reader.readexactly(2)
    another = await door.connect()
    assert await another.ask(GET + b"\r\n") == 200
    assert not await silent[0].ended()
    assert await used.ask(GET + b"\r\n") == 200


async def test_a_trusted_proxys_connections_are_not_closed_to_make_room() -> None:
    """It keeps them for whoever asks next; in the place of all of them nobody is let in."""
    async with running(None, replace(LIMITS, trusted_proxies=networks("::1,127.0.0.0/8"))) as door:
        kept = [await door.connect() for _ in range(LIMITS.connections)]
        one_more = await door.connect()
        assert await one_more.status() == 503
        assert [await client.ask(GET + b"\r\n") for client in kept] == [200] * len(kept)


@pytest.mark.parametrize(
    ("address", "is_trusted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("fd00::1", True),
        ("fd00::1%eth0", True),
        ("11.1.2.3", False),
        ("fd00::2", False),
        ("::ffff:11.1.2.3", False),
    ],
)
def test_a_proxy_is_trusted_by_its_address(address: str, *, is_trusted: bool) -> None:
    limits = ConnectionLimits(trusted_proxies=networks("10.0.0.0/8, fd00::1"))
    assert limits.trust(address) == is_trusted
    assert not ConnectionLimits().trust(address)


async def test_where_all_connections_are_in_use_one_more_is_refused(door: Running) -> None:
    clients = [await door.connect() for _ in range(LIMITS.connections)]
    for client in clients:
        client.writer.write(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
    await eventually(lambda: len(door.app.scopes) == LIMITS.connections)
    one_more = await door.connect()
    assert await one_more.status() == 503
    assert b"retry-after: 1" in one_more.head
    assert await one_more.problem() == "Overloaded"
    door.app.released.set()
    assert [await client.status() for client in clients] == [200] * LIMITS.connections


async def test_a_blank_behind_expect_is_no_part_of_it(door: Running) -> None:
    client = await door.connect()
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue \r\n\r\n"
    assert await client.ask(head) == 100
    assert await client.ask(b"ab") == 200


async def test_connections_are_counted(door: Running) -> None:
    name = "ordermill_gateway_connections"
    before = REGISTRY.get_sample_value(name) or 0
    client = await door.connect()
    await door.connections(1)
    assert REGISTRY.get_sample_value(name) == before + 1
    client.writer.close()
    await door.connections(0)
    assert REGISTRY.get_sample_value(name) == before
