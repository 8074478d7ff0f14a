"""/livez, /readyz and /metrics on a port of their own, answered by a thread of their own."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from order_runtime.observability import metrics
from order_runtime.observability.dependencies import DEPENDENCIES
from order_runtime.observability.progress import Loop

Probe = Callable[[], bool]
Admits = Callable[[str], bool]
"""Whether the value of an Authorization header, empty where there is none, may see the metrics."""
CHALLENGE: Final = ("WWW-Authenticate", "Bearer")
MAX_CONNECTIONS: Final = 8
IDLE_SECONDS: Final = 5.0
"""How long a client may send nothing, or take nothing."""


@dataclass
class Probes:
    """What /readyz and /livez ask; a service replaces them as soon as it has an answer."""

    ready: Probe = lambda: False
    """Whether the service takes work now; asked from another thread, answers at once."""
    live: Probe = lambda: True
    """Whether the process can still do its work, or must be replaced; likewise."""
    loops: list[Loop] = field(default_factory=list)
    """Those that have to go round, or the process must be replaced."""

    def is_live(self) -> bool:
        return self.live() and not self.stalled()

    def stalled(self) -> list[str]:
        """Return the names of the loops that stand still."""
        return [loop.name for loop in self.loops if loop.stalled]


class BoundedServer(ThreadingHTTPServer):
    """A thread for each connection, up to MAX_CONNECTIONS: one more ends the oldest."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._slots = threading.Semaphore(MAX_CONNECTIONS)
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread once there is one to spare; no other connection is accepted till then."""
        while not self._slots.acquire(timeout=0.1):
            with self._lock:
                oldest = self._open[:1]
            for connection in oldest:
                _hang_up(connection)
        with self._lock:
            self._open.append(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.remove(request)
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up, or were hung up on."""


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _body(probes: Probes, *, ok: bool) -> bytes:
    """Return what a probe's answer says: what is away since when, which loops stand still."""
    outages = {it.name: it.outage() for it in DEPENDENCIES}
    away = {
        name: {"since": f"{it.since:%Y-%m-%dT%H:%M:%SZ}", "seconds": it.seconds}
        for name, it in outages.items()
        if it is not None
    }
    facts = {"ok": ok, "away": away, "stalled": probes.stalled()}
    return json.dumps(facts).encode() + b"\n"


@contextmanager
def serving(
    host: str, port: int, probes: Probes, admits: Admits = lambda _: True
) -> Iterator[None]:
    """
    Answer probes and metrics while the body runs: in a thread, so that a busy loop is seen.

    Probes are answered to everybody, metrics to whom *admits* says.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = IDLE_SECONDS

        def do_GET(self) -> None:
            if self.path == "/metrics" and not admits(self.headers.get("Authorization", "")):
                self._answer(HTTPStatus.UNAUTHORIZED, b"", "text/plain", CHALLENGE)
            elif self.path == "/metrics":
                metrics.READY.set(probes.ready())
                metrics.LIVE.set(probes.is_live())
                self._answer(HTTPStatus.OK, generate_latest(), CONTENT_TYPE_LATEST)
            elif self.path in {"/livez", "/readyz"}:
                ok = probes.is_live() if self.path == "/livez" else probes.ready()
                status = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, _body(probes, ok=ok), "application/json")
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"", "text/plain")

        def _answer(
            self, status: HTTPStatus, body: bytes, content_type: str, *headers: tuple[str, str]
        ) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: probes come every few seconds."""

    server = BoundedServer((host, port), Handler)
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
