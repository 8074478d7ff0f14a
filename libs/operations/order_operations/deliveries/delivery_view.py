"""Deliveries as an operator sees and selects them, without what was sent. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from order_contracts.times import rfc3339
from order_operations.problems import OperationFailed
from order_runtime.documents.deliveries import DELIVERED, FAILED, PENDING, STATES
from order_runtime.documents.document import Document


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Selects the deliveries that fit everything given; times are when the action was recorded."""

    ids: Collection[str] = ()
    order: str | None = None
    states: Collection[str] = ()
    actions: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    def where(self) -> Document:
        """Return the filter of a MongoDB query."""
        created = {"$gte": self.since, "$lt": self.until}
        given = {
            "_id": {"$in": list(self.ids)} if self.ids else None,
            "orderId": self.order,
            "state": {"$in": list(self.states or STATES)},
            "action": {"$in": list(self.actions)} if self.actions else None,
            "createdAt": {op: at for op, at in created.items() if at is not None},
        }
        return {name: condition for name, condition in given.items() if condition}


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery in a list; `due_at` only while it is pending, `ended_at` only afterwards."""

    action_id: str
    order_id: str
    job_id: str
    action: str
    state: str
    created_at: datetime
    attempts: int
    last_status: int | None
    due_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    replays: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request of a delivery; `answer` is the beginning of the body that came back."""

    at: datetime
    outcome: str
    status: int | None
    milliseconds: int
    answer: str | None


def delivery_of(document: Document) -> Delivery:
    attempts = document["attempts"]
    last: dict[str, Any] = attempts[-1] if attempts else {}
    pending = document["state"] == PENDING
    return Delivery(
        action_id=document["_id"],
        order_id=document["orderId"],
        job_id=document["jobId"],
        action=document["action"],
        state=document["state"],
        created_at=document["createdAt"],
        attempts=len(attempts),
        last_status=last.get("status"),
        due_at=document["dueAt"] if pending else None,
        ended_at=None if pending else document["since"],
        reason=document.get("reason"),
        replays=document.get("round", 0),
    )


def attempt_of(document: Document) -> Attempt:
    return Attempt(
        at=document["at"],
        outcome=document["outcome"],
        status=document["status"],
        milliseconds=document["durationMs"],
        answer=document.get("answer"),
    )


@dataclass(frozen=True, slots=True)
class NotReplayed:
    """A delivery that a replay leaves as it is, and why."""

    action_id: str
    reason: str


def not_replayed(document: Document, states: Collection[str]) -> NotReplayed | None:
    """Return why a replay of these *states* leaves a delivery as it is; None where it doesn't."""
    reason = _replay_refusal(document, states)
    return NotReplayed(document["_id"], reason) if reason else None


def _replay_refusal(document: Document, states: Collection[str]) -> str | None:
    state = document["state"]
    if "erasedAt" in document:
        return "what it held was erased"
    if state == PENDING:
        return f"it is pending, and due at {rfc3339(document['dueAt'])} by itself"
    if state == DELIVERED and state not in states:
        return "it was delivered; --delivered sends it once more"
    return None if state in states else f"it is {state}"


def replayable_states(states: Sequence[str], *, delivered: bool) -> list[str]:
    """Return the states to replay, by default failed; raises OperationFailed for any other."""
    allowed = {FAILED, DELIVERED} if delivered else {FAILED}
    wanted = set(states) or allowed
    if not wanted <= allowed:
        raise OperationFailed(
            "Only failed deliveries are replayed, and delivered ones where that is asked for."
        )
    return sorted(wanted)
