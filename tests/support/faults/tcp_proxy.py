"""
A TCP proxy between a service and Kafka or MongoDB: latency, resets and black holes.

    with TcpProxy(stack.kafka.servers) as kafka:
        stack.kill("order-writer-1")
        stack.start("order-writer-1", ORDERMILL_KAFKA=kafka.rewritten(stack.kafka.servers))
        kafka.block()              # black hole: bytes are held back, connections stay open
        kafka.unblock()            # what was held back passes
        kafka.delay = 0.2          # seconds for each chunk, in both directions
        kafka.reset_connections()  # RST on every connection; new ones are possible

Kafka and MongoDB send their clients the addresses of all brokers or members. The proxy replaces
these addresses by its own, which have the same length, so that clients never connect directly.
Restart the service without the proxy before the proxy is closed.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

ADDRESS: Final = re.compile(r"127\.0\.0\.1:(\d{5})")
CHUNK_SIZE: Final = 64 * 1024
PARTIAL_ADDRESS_WAIT: Final = 0.05  # seconds to wait for the rest of a possible address
LINGER_ZERO: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


class TcpProxy:
    """Listens on one port for each address in *addresses*."""

    answered_bytes = 0
    """What the servers answered, on all connections."""

    def __init__(self, *addresses: str) -> None:
        self.delay = 0.0
        self._passable = threading.Event()
        self._passable.set()
        self._sockets: set[socket.socket] = set()
        self._listeners = {
            int(port): socket.create_server(("127.0.0.1", 0))
            for text in addresses
            for port in ADDRESS.findall(text)
        }
        self._ports = {
            port: listener.getsockname()[1] for port, listener in self._listeners.items()
        }
        self._replacements = address_replacements(self._ports)

    def __enter__(self) -> Self:
        for port, listener in self._listeners.items():
            threading.Thread(target=self._accept_loop, args=(listener, port), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for listener in self._listeners.values():
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        self.unblock()
        self.reset_connections()

    def rewritten(self, text: str) -> str:
        """Return bootstrap servers or a MongoDB URI with the proxy's addresses."""
        return ADDRESS.sub(lambda found: f"127.0.0.1:{self._ports[int(found[1])]}", text)

    def block(self) -> None:
        self._passable.clear()

    def unblock(self) -> None:
        self._passable.set()

    def reset_connections(self) -> None:
        for connection in tuple(self._sockets):
            self._break(connection)

    def _break(self, connection: socket.socket) -> None:
        self._sockets.discard(connection)
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads
        connection.close()

    def _accept_loop(self, listener: socket.socket, port: int) -> None:
        with suppress(OSError):  # until the listener is closed
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._connect, args=(client, port), daemon=True).start()

    def _connect(self, client: socket.socket, port: int) -> None:
        self._sockets.add(client)
        try:
            server = socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError:  # the server is down: the client must see that too
            self._break(client)
            return
        server.settimeout(None)
        self._sockets.add(server)
        back = threading.Thread(
            target=self._forward, args=(server, client, self._replacements), daemon=True
        )
        back.start()
        self._forward(client, server, {})

    def _forward(
        self, source: socket.socket, target: socket.socket, replaced: Mapping[bytes, bytes]
    ) -> None:
        held = b""
        with suppress(OSError):
            while chunk := source.recv(CHUNK_SIZE):
                time.sleep(self.delay)
                self._passable.wait()
                ready, held = replace_addresses(held + chunk, replaced)
                if held and not select.select([source], [], [], PARTIAL_ADDRESS_WAIT)[0]:
                    ready, held = ready + held, b""
                target.sendall(ready)
                if replaced:  # those are in answers
                    self.answered_bytes += len(ready)
        self._break(source)
        self._break(target)


def address_replacements(ports: Mapping[int, int]) -> dict[bytes, bytes]:
    """Return the replacement of each address in the encodings of Kafka and of MongoDB."""
    return {
        write(port): write(replacement)
        for port, replacement in ports.items()
        for write in (_as_kafka_writes, _as_mongodb_writes)
    }


def _as_kafka_writes(port: int) -> bytes:
    return b"127.0.0.1" + struct.pack(">i", port)


def _as_mongodb_writes(port: int) -> bytes:
    return f"127.0.0.1:{port}".encode()


def replace_addresses(data: bytes, replaced: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return *data* with addresses replaced, and apart its end if an address may begin there."""
    for name, replacement in replaced.items():
        data = data.replace(name, replacement)
    longest = min(len(data), max(map(len, replaced), default=1) - 1)
    pending = next((n for n in range(longest, 0, -1) if _may_begin_address(data[-n:], replaced)), 0)
    return data[: len(data) - pending], data[len(data) - pending :]


def _may_begin_address(end: bytes, replaced: Mapping[bytes, bytes]) -> bool:
    return any(len(end) < len(name) and name.startswith(end) for name in replaced)
