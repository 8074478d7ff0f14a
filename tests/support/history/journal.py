"""
The client's side of a run: each call with its response, each publication, each fault.

Load generators and fault injection write the journal; `collect` adds what the system stored and
sent. Times are seconds since 1970, by this machine's clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from support.builders.bodies import Json

RESTORE = "MongoDB is restored"
UPGRADE = "is upgraded"
"""How the name of a fault begins in which the database is restored to an earlier time."""

PUBLICATION_ID_HEADER = "test-publication"
"""A header that identifies a publication in the log, acknowledged or not; services ignore it."""


@dataclass(slots=True)
class RecordedCall:
    """One write over HTTP; its commands carry the same trace id."""

    trace: str
    kind: str
    order_ids: tuple[str, ...]
    """The order, or the distinct orders of a bulk request."""
    sent_at: float
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    status: int | None = None
    """None: the connection broke, or the request timed out."""
    response: Json = field(default_factory=dict)


@dataclass(slots=True)
class Publication:
    """A record that a test published; `partition_offset` is None until Kafka acknowledges it."""

    publication_id: str
    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    sent_at: float
    partition_offset: tuple[int, int] | None = None


@dataclass(slots=True)
class InjectedFault:
    """A fault that was injected, with start and end."""

    name: str
    began: float
    ended: float | None = None
    """None while it lasts. The end of a kill is the restart."""


@dataclass(slots=True)
class Journal:
    calls: list[RecordedCall] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    faults: list[InjectedFault] = field(default_factory=list)
    unreadable_batches: list[tuple[str, int, int]] = field(default_factory=list)
    """Topic, partition and first offset of stored batches that no client can read."""

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """Record a fault that lasts as long as the body."""
        it = InjectedFault(name, time.time())
        self.faults.append(it)
        try:
            yield
        finally:
            it.ended = time.time()


def responses_by_order(call: RecordedCall) -> Iterator[tuple[str, Json]]:
    """Yield orderId and response of each order of the call, with the HTTP `status`."""
    if "rows" in call.response:
        for row in call.response["rows"]:
            if row.get("orderId") is not None:
                codes = [error["code"] for error in row.get("errors") or ()]
                yield row["orderId"], row | {"code": codes[0] if codes else None}
    elif call.status is not None:
        for order_id in call.order_ids:
            # A job's own `status` is a word.
            yield order_id, call.response | {"status": call.status}


def accepted_commands(call: RecordedCall) -> Iterator[tuple[str, str]]:
    """Yield orderId and job id of each accepted command, also of those that were waited for."""
    for order_id, response in responses_by_order(call):
        if response["status"] in {200, 202}:
            yield order_id, response["jobId"]
        elif "job" in response:
            yield order_id, response["job"]["jobId"]


def is_refusal(response: Json) -> bool:
    """Whether the response guarantees that no command was published."""
    if response["status"] in {200, 202} or "job" in response:
        return False
    return response["status"] < 500 or response.get("code") == "NotAccepted"
