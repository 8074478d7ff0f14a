"""The gateway's own TLS, over real sockets: what it speaks, whom it waits for, what it reads."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from gateway.http.certificate import CertificateError, server_context
from support.builders.certificates import CertificateFiles, certificate_files
from support.harness.http_server import GET, LIMITS, SECONDS, Client, Running, running

REQUEST = GET + b"\r\n"


@pytest.fixture(scope="module")
def event_loop_policy() -> object:
    """The loop that the gateway has: its TLS is its own."""
    return uvloop.EventLoopPolicy()


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return certificate_files(tmp_path)


@pytest.fixture
async def door(files: CertificateFiles) -> AsyncIterator[Running]:
    async with running(files) as it:
        yield it


async def tcp(door: Running) -> Client:
    """Connect, and begin no handshake."""
    return Client(*await asyncio.open_connection("127.0.0.1", door.port))


async def status(door: Running, trusted: ssl.SSLContext) -> int:
    """Return the status that a new client gets which trusts *trusted*."""
    streams = await asyncio.open_connection("127.0.0.1", door.port, ssl=trusted)
    return await Client(*streams).ask(REQUEST)


def shown(line: str, capsys: pytest.CaptureFixture[str]) -> int:
    """Return how often *line* was logged since this was last asked."""
    return capsys.readouterr().out.count(line)


async def test_the_application_sees_https(door: Running) -> None:
    assert await (await door.connect()).ask(REQUEST) == 200
    assert door.app.scopes[0]["scheme"] == "https"
    assert door.app.scopes[0]["client"][0] == "127.0.0.1"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_1_2_and_1_3_are_spoken(
    door: Running, files: CertificateFiles, version: ssl.TLSVersion
) -> None:
    client = files.trusting()
    client.minimum_version = client.maximum_version = version
    assert await status(door, client) == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_older_versions_are_not(door: Running, files: CertificateFiles) -> None:
    client = files.trusting()
    client.set_ciphers("ALL:@SECLEVEL=0")  # or the client itself would refuse to
    client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ConnectionError):
        await status(door, client)
    await door.connections(0)


async def test_a_client_that_offers_http_2_gets_1_1(door: Running, files: CertificateFiles) -> None:
    client = files.trusting()
    client.set_alpn_protocols(["h2", "http/1.1"])
    _, writer = await asyncio.open_connection("127.0.0.1", door.port, ssl=client)
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01"])
async def test_a_client_that_never_ends_its_handshake_is_closed(
    door: Running, begun: bytes
) -> None:
    client = await tcp(door)
    client.writer.write(begun)
    await door.connections(1)
    async with asyncio.timeout(2 * SECONDS):
        assert not await client.ended()
    await door.connections(0)


async def test_clients_that_never_end_their_handshake_make_room(door: Running) -> None:
    """They count from the start: any number of them could be open otherwise."""
    silent = [await tcp(door) for _ in range(LIMITS.connections * 3)]
    await door.connections(LIMITS.connections)
    assert await (await door.connect()).ask(REQUEST) == 200
    assert not await silent[0].ended()


@pytest.mark.parametrize("sent", [REQUEST, b"\x16\x03\x01\x00\x02\x01\x00"])
async def test_what_is_no_tls_leaves_nothing_behind(door: Running, sent: bytes) -> None:
    client = await tcp(door)
    client.writer.write(sent)
    await client.ended()
    await door.connections(0)


async def test_a_client_that_leaves_within_its_handshake_leaves_nothing_behind(
    door: Running,
) -> None:
    client = await tcp(door)
    await door.connections(1)
    client.writer.close()
    await door.connections(0)


async def test_a_handshake_may_come_byte_by_byte(door: Running, files: CertificateFiles) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = files.trusting().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    client = await tcp(door)
    for byte in outgoing.read():
        client.writer.write(bytes([byte]))
        await client.writer.drain()
        await asyncio.sleep(0)
    incoming.write(await client.reader.readexactly(5))  # of a record: the server answers
    assert door.server.server_state.connections


def asked_without_end(port: int, client: ssl.SSLContext) -> ssl.SSLSocket:
    """Ask for the end of the connection, read the answer, and never confirm that end."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    tls = client.wrap_socket(plain, server_hostname="localhost")
    tls.sendall(GET + b"Connection: close\r\n\r\n")
    assert tls.recv(1_000).startswith(b"HTTP/1.1 200")
    return tls


async def test_the_end_of_a_connection_waits_for_no_client(files: CertificateFiles) -> None:
    """Many never confirm it: a gateway that stops would wait for each."""
    async with running(files, replace(LIMITS, write_seconds=30)) as door:
        client = await asyncio.to_thread(asked_without_end, door.port, files.trusting())
        async with asyncio.timeout(2):
            await door.connections(0)
        client.close()


async def test_a_slow_reader_gets_the_whole_answer(files: CertificateFiles) -> None:
    """Its end isn't cut off, though the connection is closed behind it."""
    async with running(files, replace(LIMITS, write_seconds=30)) as door:
        client = await door.connect()
        client.writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert await client.status() == 200
        await asyncio.sleep(SECONDS / 4)
        assert len(await client.reader.readexactly(64 << 20)) == 64 << 20


async def test_new_connections_get_a_new_certificate(
    door: Running, files: CertificateFiles
) -> None:
    """Those that are open go on with the old one."""
    opened, old = await door.connect(), files.trusting()
    assert await opened.ask(REQUEST) == 200
    await opened.reader.readexactly(2)

    files.write()

    assert await status(door, files.trusting()) == 200
    assert await opened.ask(REQUEST) == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        await status(door, old)


def without_key(files: CertificateFiles) -> None:
    files.key.unlink()


def cut_off(files: CertificateFiles) -> None:
    files.cert.write_bytes(files.cert.read_bytes()[:300])


def of_another_key(files: CertificateFiles) -> None:
    """As between the two halves of a change."""
    key = files.key.read_bytes()
    files.write()
    files.key.write_bytes(key)


def under_a_password(files: CertificateFiles) -> None:
    files.write("hidden")


BROKEN = (without_key, cut_off, of_another_key, under_a_password)


@pytest.mark.parametrize("broken", BROKEN)
async def test_with_a_broken_certificate_the_old_one_goes_on(
    door: Running,
    files: CertificateFiles,
    capsys: pytest.CaptureFixture[str],
    broken: Callable[[CertificateFiles], None],
) -> None:
    old = files.trusting()

    broken(files)

    assert [await status(door, old) for _ in range(3)] == [200] * 3
    assert shown("certificate not read, the old one goes on", capsys) == 1
    files.write()
    assert await status(door, files.trusting()) == 200


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_certificate_is_a_sentence(
    files: CertificateFiles, broken: Callable[[CertificateFiles], None]
) -> None:
    broken(files)

    with pytest.raises(CertificateError, match=r"^The certificate [^\n]+\.$"):
        server_context(files.cert, files.key)
