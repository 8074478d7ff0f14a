"""/livez, /readyz and /metrics on a port of their own, answered by a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Probe = Callable[[], bool]


@dataclass
class Probes:
    """What /readyz and /livez ask; a service replaces them as soon as it has an answer."""

    ready: Probe = lambda: False
    """Whether the service takes work now; asked from another thread, answers at once."""
    live: Probe = lambda: True
    """Whether the process can still do its work, or must be replaced; likewise."""


@contextmanager
def serving(host: str, port: int, probes: Probes) -> Iterator[None]:
    """Answer probes and metrics while the body runs: in a thread, so that a busy loop is seen."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(HTTPStatus.OK, generate_latest(), CONTENT_TYPE_LATEST)
            elif self.path in {"/livez", "/readyz"}:
                ok = probes.live() if self.path == "/livez" else probes.ready()
                status = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, b"ok\n" if ok else b"not yet\n", "text/plain")
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"", "text/plain")

        def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: probes come every few seconds."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
