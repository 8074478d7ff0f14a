"""Which endpoints may be sent to: what the database says, looked at every second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pymongo import AsyncMongoClient, UpdateOne
from pymongo.errors import DuplicateKeyError
from yarl import URL

from action_trigger import metrics
from action_trigger.adapters.endpoint_config import ENDPOINT_NAMES, EndpointConfig, Route
from order_runtime.documents.deliveries import DISABLED, ENABLED
from order_runtime.mongo.client import CODEC, ENDPOINTS, Document
from order_runtime.process.logs import log
from order_runtime.process.retry import retry_transient

LOOK: Final = 1.0  # seconds between two looks
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EndpointState:
    state: str = ENABLED
    since: datetime = _EVER
    replayed_at: datetime = _EVER
    """When an operator last made deliveries due: to be looked for at once."""


class EndpointStates:
    """
    One gate for each endpoint, by the name of its table in the webhooks file.

    Operators and all workers share them; a gate that nobody ever touched is open. Before the first
    look all are shut.
    """

    def __init__(self, client: AsyncMongoClient[Document], database: str) -> None:
        self._all = client.get_database(database)[ENDPOINTS].with_options(CODEC)
        self._endpoint_states: dict[str, EndpointState] = {}

    def is_open(self, name: str) -> bool:
        return name in self._endpoint_states and self._endpoint_states[name].state == ENABLED

    def since(self, name: str) -> datetime:
        """Return when the gate was last opened or shut."""
        return self._endpoint_states[name].since if name in self._endpoint_states else _EVER

    async def declare(self, config: EndpointConfig) -> None:
        """Tell operators which endpoints there are, and what goes where."""
        routes = {route.name: route for route in config.routes}
        writes = [
            UpdateOne({"_id": name}, {"$set": _told(routes.get(name))}, upsert=name in routes)
            for name in ENDPOINT_NAMES
        ]
        await retry_transient(lambda: self._all.bulk_write(writes, ordered=False))

    async def shut(self, name: str, at: datetime) -> None:
        """
        Disable an endpoint that answered 410 to what was sent *at*.

        Nothing happens if its gate was moved since then: an operator who has just enabled it isn't
        overruled by an older answer.
        """
        gate = {"state": DISABLED, "since": at, "by": "410"}
        untouched = {
            "_id": name,
            "state": {"$in": [None, ENABLED]},
            "$nor": [{"since": {"$gt": at}}],
        }
        with suppress(DuplicateKeyError):  # somebody else moved it
            await retry_transient(
                lambda: self._all.update_one(untouched, {"$set": gate}, upsert=True)
            )
        await self.look()

    async def watch(self, changed: Callable[[Iterable[str]], None], stop: asyncio.Event) -> None:
        """Look until *stop*; tell *changed* which gates moved or have something new."""
        told: dict[str, EndpointState] = {}
        while not stop.is_set():
            await self.look()
            if endpoints_changed := [
                name for name in ENDPOINT_NAMES if told.get(name) != self._endpoint_states[name]
            ]:
                changed(endpoints_changed)
            told = self._endpoint_states
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await stop.wait()

    async def look(self) -> None:
        found = await retry_transient(lambda: self._all.find().to_list())
        stored = {document["_id"]: _gate(document) for document in found}
        endpoint_states = {name: stored.get(name, EndpointState()) for name in ENDPOINT_NAMES}
        for name, gate in endpoint_states.items():
            metrics.ENABLED.labels(name).set(gate.state == ENABLED)
            if self._endpoint_states.get(name, EndpointState()).state != gate.state:
                log().warning("endpoint moved", endpoint=name, state=gate.state)
        self._endpoint_states = endpoint_states


def _told(route: Route | None) -> Document:
    """Return what may be shown of an endpoint: its URL's path may hold a secret."""
    if route is None:
        return {"host": None, "actions": []}
    return {"host": URL(route.endpoint.url).host, "actions": list(route.actions)}


def _gate(document: Document) -> EndpointState:
    return EndpointState(
        state=document.get("state", ENABLED),
        since=document.get("since", _EVER),
        replayed_at=document.get("replayedAt", _EVER),
    )
