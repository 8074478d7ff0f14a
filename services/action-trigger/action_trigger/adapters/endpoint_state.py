"""Which endpoints are enabled: their states in the database, polled every second."""

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
from action_trigger.log_events import ENDPOINT_MOVED
from order_runtime.documents.deliveries import DISABLED, ENABLED
from order_runtime.documents.document import optional
from order_runtime.mongo.client import CODEC, ENDPOINTS, Document
from order_runtime.process.logs import log
from order_runtime.process.retry import retry_transient
from order_runtime.process.unreadable import readable

POLL_SECONDS: Final = 1.0
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EndpointState:
    state: str = ENABLED
    changed_at: datetime = _NEVER
    replayed_at: datetime = _NEVER
    """When an operator last replayed deliveries, which are due at once."""


class EndpointStates:
    """
    The states of all endpoints, by the name of their table in the webhooks file.

    They are shared with operators and the other workers. An endpoint without a stored state is
    enabled; before the first poll none is.
    """

    def __init__(self, client: AsyncMongoClient[Document], database: str) -> None:
        self._all = client.get_database(database)[ENDPOINTS].with_options(CODEC)
        self._states: dict[str, EndpointState] = {}
        self._named: frozenset[str] = frozenset()
        """Those that the webhooks file names."""

    def is_enabled(self, name: str) -> bool:
        return name in self._states and self._states[name].state == ENABLED

    def changed_at(self, name: str) -> datetime:
        """Return when the endpoint was last enabled, disabled or paused."""
        return self._states[name].changed_at if name in self._states else _NEVER

    async def declare(self, config: EndpointConfig) -> None:
        """Store, for operators, which endpoints there are and which actions go there."""
        routes = {route.name: route for route in config.routes}
        self._named = frozenset(routes)
        metrics.name_endpoints(self._named, ENDPOINT_NAMES)
        writes = [
            UpdateOne({"_id": name}, {"$set": _shown(routes.get(name))}, upsert=name in routes)
            for name in ENDPOINT_NAMES
        ]
        await retry_transient(lambda: self._all.bulk_write(writes, ordered=False))

    async def disable(self, name: str, at: datetime) -> None:
        """
        Disable an endpoint that answered 410 to a request sent *at*.

        Nothing happens if its state has changed since: an operator who has just enabled it isn't
        overruled by an older response.
        """
        disabled = {"state": DISABLED, "since": at, "by": "410"}
        unchanged = {
            "_id": name,
            "state": {"$in": [None, ENABLED]},
            "$nor": [{"since": {"$gt": at}}],
        }
        # Where the state has changed the filter matches nothing, and the insertion is a duplicate.
        with suppress(DuplicateKeyError):
            await retry_transient(
                lambda: self._all.update_one(unchanged, {"$set": disabled}, upsert=True)
            )
        await self._poll()

    async def watch(self, changed: Callable[[Iterable[str]], None], stop: asyncio.Event) -> None:
        """Poll until *stop*; call *changed* with the endpoints whose state or replays are new."""
        known: dict[str, EndpointState] = {}
        while not stop.is_set():
            await self._poll()
            names = [name for name in ENDPOINT_NAMES if known.get(name) != self._states[name]]
            if names:
                changed(names)
            known = self._states
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await stop.wait()

    async def _poll(self) -> None:
        found = await retry_transient(lambda: self._all.find().to_list())
        # One that can't be read is shut: an operator may have had a reason, and can say so anew.
        stored = {
            document["_id"]: readable(ENDPOINTS, document, _state_of) or EndpointState(DISABLED)
            for document in found
        }
        states = {name: stored.get(name, EndpointState()) for name in ENDPOINT_NAMES}
        for name, new in states.items():
            if name in self._named:
                metrics.ENABLED.labels(name).set(new.state == ENABLED)
            if self._states.get(name, EndpointState()).state != new.state:
                log().warning(ENDPOINT_MOVED, endpoint=name, state=new.state)
        self._states = states


def _shown(route: Route | None) -> Document:
    """Return what may be shown of an endpoint: its URL's path may hold a secret."""
    if route is None:
        return {"host": None, "actions": []}
    return {"host": URL(route.endpoint.url).host, "actions": list(route.actions)}


def _state_of(document: Document) -> EndpointState:
    return EndpointState(
        state=optional(document, "state", str) or ENABLED,
        changed_at=optional(document, "since", datetime) or _NEVER,
        replayed_at=optional(document, "replayedAt", datetime) or _NEVER,
    )
