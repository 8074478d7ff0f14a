"""The tests' TCP proxy forwards under its own addresses, and fails in three ways on demand."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from support.faults.tcp_proxy import TcpProxy, address_replacements, replace_addresses

REPLACED = address_replacements({20001: 40001, 20002: 40002})


@pytest.fixture
def server() -> Iterator[str]:
    """
    A server that responds with its own address. The last byte could begin another address, and must
    be forwarded without waiting for more.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                if client.recv(100):
                    client.sendall(f"I am {address}, not 1".encode())

        threading.Thread(target=serve, daemon=True).start()
        yield address
        listener.shutdown(socket.SHUT_RDWR)


def _connected(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), timeout=5)


def test_a_client_behind_the_proxy_never_learns_the_real_address(server: str) -> None:
    with TcpProxy(server) as proxy, _connected(proxy.rewritten(server)) as client:
        client.sendall(b"who are you?")
        assert client.recv(100).decode() == f"I am {proxy.rewritten(server)}, not 1"
    assert proxy.rewritten(f"mongodb://{server}/?replicaSet=rs0") != server


def test_nothing_passes_a_blocked_proxy_until_it_is_unblocked(server: str) -> None:
    with TcpProxy(server) as proxy, _connected(proxy.rewritten(server)) as client:
        proxy.block()
        client.sendall(b"who are you?")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(100)
        proxy.unblock()
        client.settimeout(5)
        assert client.recv(100)


def test_a_reset_breaks_connections_and_new_ones_may_be_made(server: str) -> None:
    with TcpProxy(server) as proxy:
        with _connected(proxy.rewritten(server)) as client:
            client.sendall(b"who are you?")
            assert client.recv(100)
            proxy.reset_connections()
            assert _ended(client)
        with _connected(proxy.rewritten(server)) as client:
            client.sendall(b"who are you?")
            assert client.recv(100)


def _ended(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def test_addresses_are_replaced_wherever_the_chunks_are_cut() -> None:
    text = (
        b"x127.0.0.1:20001,127.0.0.1:20002,127.0.0.1:20003\x00\x00\x00\x09127.0.0.1\x00\x00\x4e\x21"
    )
    expected = text.replace(b":20001", b":40001").replace(b":20002", b":40002")
    expected = expected.replace(b"\x4e\x21", b"\x9c\x41")
    for cut in range(len(text) + 1):
        first, held = replace_addresses(text[:cut], REPLACED)
        second, left = replace_addresses(held + text[cut:], REPLACED)
        assert first + second + left == expected


def test_only_what_may_be_an_address_is_held_back() -> None:
    assert replace_addresses(b"abc 127.0.", REPLACED) == (b"abc ", b"127.0.")
    assert replace_addresses(b"abc", REPLACED) == (b"abc", b"")
