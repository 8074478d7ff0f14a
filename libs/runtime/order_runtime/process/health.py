"""/livez, /readyz and /metrics on a port of their own, answered by a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Probe = Callable[[], bool]


@contextmanager
def serving(host: str, port: int, *, ready: Probe, live: Probe = lambda: True) -> Iterator[None]:
    """
    Answer probes while the body runs.

    A thread, so that a busy loop is still measured; *live* says whether it is stuck for good,
    *ready* whether it takes work now. Both must answer at once.
    """
    probes = {"/livez": live, "/readyz": ready}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(HTTPStatus.OK, generate_latest(), CONTENT_TYPE_LATEST)
            elif self.path in probes:
                ok = probes[self.path]()
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
