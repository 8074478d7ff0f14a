"""An HTTP server in the place of the automation trigger: verifies, keeps and lists webhooks."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

BODY_LIMIT = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    at: str
    verified: bool
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the next `times` posts are answered; later ones get 204."""

    status: int = 204
    delay_seconds: float = 0.0
    retry_after: str | None = None
    times: int = 0

    @classmethod
    def of(cls, wanted: dict[str, Any]) -> Behaviour:
        after = wanted.get("retryAfter")
        return cls(
            status=int(wanted.get("status", 204)),
            delay_seconds=float(wanted.get("delaySeconds", 0)),
            retry_after=None if after is None else str(after),
            times=int(wanted.get("times", 1)),
        )


class Receiver:
    """Keeps webhooks in memory: after a restart there are none."""

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(secret)
        self._received: list[Received] = []
        self._behaviour = Behaviour()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/received", self._list)
        app.router.add_delete("/received", self._forget)
        app.router.add_put("/behaviour", self._behave)
        app.router.add_post("/{path:.*}", self._receive)
        return app

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(item) for item in self._received])

    async def _forget(self, _: web.Request) -> web.Response:
        self._received.clear()
        return web.Response(status=204)

    async def _behave(self, request: web.Request) -> web.Response:
        try:
            self._behaviour = Behaviour.of(await request.json())
        except (ValueError, TypeError, AttributeError) as error:
            raise web.HTTPBadRequest(text=f"Not a behaviour: {error}") from error
        return web.Response(status=204)

    async def _receive(self, request: web.Request) -> web.Response:
        raw = await request.read()
        verified = self._verified(raw, dict(request.headers))
        # Recorded before the answer, since a sender may give up waiting for that.
        self._received.append(
            Received(
                at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                verified=verified,
                headers={name.lower(): value for name, value in request.headers.items()},
                body=_parsed(raw),
            )
        )
        if not verified:
            return web.Response(status=400, text="The signature does not verify")
        return await self._answer()

    def _verified(self, raw: bytes, headers: dict[str, str]) -> bool:
        try:
            self._webhook.verify(raw, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):
            return False
        return True

    async def _answer(self) -> web.Response:
        now = self._behaviour
        if now.times <= 0:
            return web.Response(status=204)
        self._behaviour = Behaviour(now.status, now.delay_seconds, now.retry_after, now.times - 1)
        await asyncio.sleep(now.delay_seconds)
        headers = {} if now.retry_after is None else {"Retry-After": now.retry_after}
        return web.Response(status=now.status, headers=headers)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")


def main(
    port: Annotated[int, typer.Option(help="The port to listen on.")],
    secret: Annotated[
        str, typer.Option(envvar="RECEIVER_SECRET", help="The shared secret, whsec_…")
    ],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Receive webhooks, verify their signatures, and list them at /received."""
    web.run_app(Receiver(secret).app(), host=host, port=port, print=None, access_log=None)


if __name__ == "__main__":
    typer.run(main)
