"""The open circuits of this worker, stored with the endpoints for operators to see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from action_trigger.domain.circuit_breaker import OpenCircuit
from order_runtime.mongo.client import CODEC, ENDPOINTS, Document
from order_runtime.process.retry import retry_transient

LOOK_SECONDS: Final = 1.0

Circuits = Mapping[str, OpenCircuit | None]
"""By endpoint; None where it is closed."""


class CircuitRecords:
    """
    Stored when a circuit opens, closes, or was probed: with a delivery nothing is written.

    Each worker has circuits of its own, so that an endpoint's document holds one for each worker
    whose circuit is open. A worker that is killed leaves its own, until it starts again.
    """

    def __init__(self, client: AsyncMongoClient[Document], database: str, worker: str) -> None:
        self._all = client.get_database(database)[ENDPOINTS].with_options(CODEC)
        self._worker = worker

    async def watch(self, circuits: Callable[[], Circuits], stop: asyncio.Event) -> None:
        """Store what has changed, once a second at most, until *stop*; then remove our own."""
        stored: Circuits = {}
        await retry_transient(self._remove_all)
        while not stop.is_set():
            seen = dict(circuits())
            for name, circuit in seen.items():
                if circuit != stored.get(name):
                    await self._store(name, circuit)
            stored = seen
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await stop.wait()
        with suppress(PyMongoError):
            await self._remove_all()

    async def _store(self, name: str, circuit: OpenCircuit | None) -> None:
        others = {
            "$filter": {
                "input": {"$ifNull": ["$circuits", []]},
                "cond": {"$ne": ["$$this.worker", {"$literal": self._worker}]},
            }
        }
        own = [] if circuit is None else [{"$literal": _document(self._worker, circuit)}]
        update: list[Document] = [{"$set": {"circuits": {"$concatArrays": [others, own]}}}]
        await retry_transient(lambda: self._all.update_one({"_id": name}, update))

    async def _remove_all(self) -> None:
        own = {"worker": self._worker}
        await self._all.update_many({"circuits.worker": self._worker}, {"$pull": {"circuits": own}})


def _document(worker: str, circuit: OpenCircuit) -> Document:
    return {
        "worker": worker,
        "since": circuit.since,
        "probeAt": circuit.probe_at,
        "failures": circuit.failures,
        "answeredAt": circuit.answered_at,
        "status": circuit.status,
        "reason": circuit.reason,
    }
