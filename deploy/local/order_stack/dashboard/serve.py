"""
Serves kaskade on this machine; runs in the dashboard's own environment, which has no other code.

Each browser tab is a kaskade of its own. Requests that a page of another site makes are refused:
the browser would send them to an address of this machine as well.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from aiohttp import web
from textual_serve.server import Server  # type: ignore[import-not-found,unused-ignore]

HOST = "127.0.0.1"


class LocalServer(Server):  # type: ignore[misc,unused-ignore]
    """Answers requests for its own address alone, and from pages of its own."""

    async def _make_app(self) -> web.Application:
        app: web.Application = await super()._make_app()
        app.middlewares.append(self._refuse_strangers)
        return app

    @web.middleware
    async def _refuse_strangers(self, request: web.Request, handler: Any) -> web.StreamResponse:
        origin = request.headers.get("Origin", self.public_url)
        if f"http://{request.host}" != self.public_url or origin != self.public_url:
            raise web.HTTPForbidden(text="Only pages of this address may ask here.")
        answer: web.StreamResponse = await handler(request)
        return answer


def main(port: str, config: str, title: str) -> None:
    """Serve until SIGTERM or SIGINT; *config* is kaskade's file, which may hold a password."""
    kaskade = Path(sys.executable).with_name("kaskade")
    command = shlex.join([str(kaskade), "admin", "--config-file", config])
    LocalServer(command, host=HOST, port=int(port), title=title).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
