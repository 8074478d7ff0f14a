"""
What the load did, as it saw it itself: each call with its answer, each publication, each fault.

Load generators and whoever injects faults write here; `history.collect` adds what the system made
of it. Times are seconds since 1970, by this machine's clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from support.builders.bodies import Json

PUBLICATION_ID_HEADER = "test-publication"
"""A header by which a publication is found in the log, acknowledged or not; no service reads it."""


@dataclass(slots=True)
class RecordedCall:
    """One write over HTTP. The gateway hands its trace on to the commands that it publishes."""

    trace: str
    kind: str
    order_ids: tuple[str, ...]
    """The order, or those of a bulk request: each once."""
    sent_at: float
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    status: int | None = None
    """None: the connection broke, or nobody answered in time."""
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
    """Something that was broken on purpose, from when to when."""

    name: str
    began: float
    ended: float | None = None
    """None: not mended yet. Of a kill: when the part was there again."""


@dataclass(slots=True)
class Journal:
    calls: list[RecordedCall] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    faults: list[InjectedFault] = field(default_factory=list)

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """Note a fault that lasts as long as the body."""
        it = InjectedFault(name, time.time())
        self.faults.append(it)
        try:
            yield
        finally:
            it.ended = time.time()


def responses_by_order(call: RecordedCall) -> Iterator[tuple[str, Json]]:
    """Give the answer for each order of the call, with its `status`."""
    if "rows" in call.response:
        for row in call.response["rows"]:
            if row.get("orderId") is not None:
                codes = [error["code"] for error in row.get("errors") or ()]
                yield row["orderId"], row | {"code": codes[0] if codes else None}
    elif call.status is not None:
        for order_id in call.order_ids:
            # A job has a `status` of its own, in words.
            yield order_id, call.response | {"status": call.status}


def accepted_commands(call: RecordedCall) -> Iterator[tuple[str, str]]:
    """Give orderId and job id of each command that was accepted, waited for or not."""
    for order_id, response in responses_by_order(call):
        if response["status"] in {200, 202}:
            yield order_id, response["jobId"]
        elif "job" in response:
            yield order_id, response["job"]["jobId"]


def is_refusal(response: Json) -> bool:
    """Whether the answer says that there is no command: refused at the door, or not accepted."""
    if response["status"] in {200, 202} or "job" in response:
        return False
    return response["status"] < 500 or response.get("code") == "NotAccepted"
