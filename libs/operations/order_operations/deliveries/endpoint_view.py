"""Endpoints as an operator sees them: open or shut, what they answered, and what waits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from order_runtime.documents.deliveries import ENABLED
from order_runtime.documents.document import Document

OPEN: Final = "open"
CLOSED: Final = "closed"


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """What an attempt met: a status, or the reason why there was none."""

    at: datetime
    status: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many deliveries are pending for an endpoint, and the one that waits longest."""

    waiting: int
    oldest: Document | None
    last: LastAnswer | None
    """Of the newest deliveries to this endpoint."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint, who opened or shut it, whether it answers, and what waits for it."""

    endpoint: str
    state: str
    since: datetime | None
    by: str | None
    """Who shut or opened it last: `410`, its own answer, or `operator`; None for nobody."""
    circuit: str
    circuit_since: datetime | None
    circuit_workers: tuple[str, ...]
    """The workers whose circuit is open."""
    next_probe_at: datetime | None
    last_answer_at: datetime | None
    last_status: int | None
    last_reason: str | None
    waiting: int
    oldest_waiting: str | None
    oldest_waiting_at: datetime | None
    actions: tuple[str, ...]
    host: str


def endpoint_of(document: Document, backlog: Backlog) -> Endpoint:
    circuits: list[dict[str, Any]] = document.get("circuits") or []
    answers = (*map(_answer_of_circuit, circuits), backlog.last)
    last = latest(it for it in answers if it is not None)
    oldest = backlog.oldest or {}
    return Endpoint(
        endpoint=document["_id"],
        state=document.get("state", ENABLED),
        since=document.get("since"),
        by=document.get("by"),
        circuit=OPEN if circuits else CLOSED,
        circuit_since=min((it["since"] for it in circuits), default=None),
        circuit_workers=tuple(sorted(it["worker"] for it in circuits)),
        next_probe_at=min((it["probeAt"] for it in circuits), default=None),
        last_answer_at=last.at if last else None,
        last_status=last.status if last else None,
        last_reason=last.reason if last else None,
        waiting=backlog.waiting,
        oldest_waiting=oldest.get("_id"),
        oldest_waiting_at=oldest.get("createdAt"),
        actions=tuple(document["actions"]),
        host=document["host"],
    )


def latest(answers: Iterable[LastAnswer]) -> LastAnswer | None:
    return max(answers, key=lambda it: it.at, default=None)


def answer_of_attempts(attempts: Sequence[dict[str, Any]]) -> LastAnswer | None:
    """Return the last answer to a delivery; where there was no status, the answer says why."""
    if not attempts:
        return None
    last = attempts[-1]
    status = last["status"]
    return LastAnswer(last["at"], status, last.get("answer") if status is None else None)


def _answer_of_circuit(circuit: dict[str, Any]) -> LastAnswer:
    return LastAnswer(circuit["answeredAt"], circuit["status"], circuit["reason"])
