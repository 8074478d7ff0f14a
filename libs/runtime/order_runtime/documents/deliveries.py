"""
The delivery at rest: the updates that others than the action-trigger make.

One document an action. Only `contactId`, by which an erasure finds it, `record`, of an earlier
release `body` as well, and `attempts[].answer` may hold personal data. An operator replays
deliveries that ended; an erasure redacts them, whatever their state. Each does so by the update
given here, in one step for each document, so that it can't meet a worker halfway.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from order_runtime.documents.document import Document

PENDING: Final = "pending"
DELIVERED: Final = "delivered"
FAILED: Final = "failed"
DROPPED: Final = "dropped"  # erased before it was sent
STATES: Final = (PENDING, DELIVERED, FAILED, DROPPED)

ENABLED: Final = "enabled"
DISABLED: Final = "disabled"  # it answered 410, or an operator said so
PAUSED: Final = "paused"  # by an operator

RETENTION: Final = timedelta(days=30)
"""Counted from a delivery's end: what still waits is kept, however long its endpoint is shut."""

REPLAYABLE: Final[Document] = {"erasedAt": {"$exists": False}}
"""To be added to every filter of what is to be replayed: what was erased has nothing to send."""


def replay_update(now: datetime) -> dict[str, Any]:
    """
    Return the update that makes a delivery which ended pending again, due now, its schedule anew.

    Its attempts stay. The next end is announced under ids of its own, by the round.
    """
    return {
        "$set": {
            "state": PENDING,
            "dueAt": now,
            "startedAt": now,
            "scheduled": 0,
            "since": now,
            "announced": False,
        },
        "$inc": {"round": 1},
        "$unset": {"expireAt": "", "reason": "", "parked": ""},
    }


def redaction_update(now: datetime) -> list[dict[str, Any]]:
    """
    Return the update, a pipeline, that takes everything personal out of a delivery.

    One that was pending ends as dropped: it is not sent any more, unless its request was in flight.
    The document stays, because it is what a replay of the action's message meets.
    """
    pending = {"$eq": ["$state", PENDING]}

    def ends(field: str, value: object) -> dict[str, Any]:
        return {field: {"$cond": [pending, value, f"${field}"]}}

    return [
        {
            "$set": {
                "erasedAt": now,
                **ends("state", DROPPED),
                **ends("since", now),
                **ends("announced", False),
                **ends("expireAt", now + RETENTION),
            }
        },
        {"$unset": ["contactId", "record", "body", "parked", "attempts.answer"]},
    ]
