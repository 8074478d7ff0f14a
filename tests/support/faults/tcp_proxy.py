"""
A TCP proxy between a service and Kafka or MongoDB: latency, resets and black holes.

    with TcpProxy(stack.kafka) as kafka:
        stack.kill("order-writer-1")
        stack.start("order-writer-1", ORDERMILL_KAFKA=kafka.rewritten(stack.kafka))
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
    """Listens on one port for each address in *where*."""

    def __init__(self, *where: str) -> None:
        self.delay = 0.0
        self._passable = threading.Event()
        self._passable.set()
        self._open: set[socket.socket] = set()
        self._doors = {
            int(port): socket.create_server(("127.0.0.1", 0))
            for text in where
            for port in ADDRESS.findall(text)
        }
        self._ports = {port: door.getsockname()[1] for port, door in self._doors.items()}
        self._names = address_replacements(self._ports)

    def __enter__(self) -> Self:
        for port, door in self._doors.items():
            threading.Thread(target=self._let_in, args=(door, port), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for door in self._doors.values():
            door.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            door.close()
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
        for one in tuple(self._open):
            self._break(one)

    def _break(self, one: socket.socket) -> None:
        self._open.discard(one)
        with suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            one.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads
        one.close()

    def _let_in(self, door: socket.socket, port: int) -> None:
        with suppress(OSError):  # until the door is closed
            while True:
                client, _ = door.accept()
                threading.Thread(target=self._join, args=(client, port), daemon=True).start()

    def _join(self, client: socket.socket, port: int) -> None:
        self._open.add(client)
        try:
            server = socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError:  # the server is down: the client must see that too
            self._break(client)
            return
        server.settimeout(None)
        self._open.add(server)
        back = threading.Thread(target=self._pass, args=(server, client, self._names), daemon=True)
        back.start()
        self._pass(client, server, {})

    def _pass(
        self, source: socket.socket, target: socket.socket, replaced: Mapping[bytes, bytes]
    ) -> None:
        held = b""
        with suppress(OSError):
            while piece := source.recv(CHUNK_SIZE):
                time.sleep(self.delay)
                self._passable.wait()
                ready, held = replace_addresses(held + piece, replaced)
                if held and not select.select([source], [], [], PARTIAL_ADDRESS_WAIT)[0]:
                    ready, held = ready + held, b""
                target.sendall(ready)
        self._break(source)
        self._break(target)


def address_replacements(ports: Mapping[int, int]) -> dict[bytes, bytes]:
    """Return the replacement of each address in the encodings of Kafka and of MongoDB."""
    return {
        write(port): write(other)
        for port, other in ports.items()
        for write in (_as_kafka_writes, _as_mongodb_writes)
    }


def _as_kafka_writes(port: int) -> bytes:
    return b"127.0.0.1" + struct.pack(">i", port)


def _as_mongodb_writes(port: int) -> bytes:
    return f"127.0.0.1:{port}".encode()


def replace_addresses(data: bytes, replaced: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return *data* with addresses replaced, and apart its end if an address may begin there."""
    for name, other in replaced.items():
        data = data.replace(name, other)
    longest = min(len(data), max(map(len, replaced), default=1) - 1)
    begun = next((n for n in range(longest, 0, -1) if _may_begin_address(data[-n:], replaced)), 0)
    return data[: len(data) - begun], data[len(data) - begun :]


def _may_begin_address(end: bytes, replaced: Mapping[bytes, bytes]) -> bool:
    return any(len(end) < len(name) and name.startswith(end) for name in replaced)
