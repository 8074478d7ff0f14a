"""A delivery, from the action that was read to its end. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from action_trigger.domain.webhooks import AttemptOutcome
from order_contracts.order import ActionName
from order_runtime.kafka.records import Record


@dataclass(frozen=True, slots=True)
class ReceivedAction:
    """An action as it was read from Kafka, ready to be sent."""

    action_id: str
    job_id: str
    order_id: str
    action: ActionName
    contact_id: str
    registered_at: datetime
    """Of the order."""
    accepted_at: datetime
    """When the command that asked for it was accepted."""
    body: str
    record: Record
    traceparent: str | None = None
    replay: bool = False
    """Whether an operator sent it again, so that what failed for good is to be tried anew."""


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """A pending delivery without its body."""

    id: str
    order_id: str
    partition: int
    offset: int
    action: ActionName
    size: int
    """Characters of the body."""
    attempts: int
    """Made so far, in all."""
    scheduled: int
    """Made so far on the present schedule, which a replay starts anew."""
    due_at: datetime
    created_at: datetime
    started_at: datetime
    """When the present schedule began."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One webhook that was sent, and what came back."""

    delivery: PendingDelivery
    at: datetime
    duration: timedelta
    outcome: AttemptOutcome
    status: int | None
    answer: str
    """The first bytes of the answer, or why there was none; never a secret."""


@dataclass(frozen=True, slots=True)
class EndedDelivery:
    """A delivery that came to its end, or whose end was undone by a replay."""

    id: str
    job_id: str
    order_id: str
    action: ActionName
    state: str
    attempts: int
    status: int | None
    reason: str | None
    at: datetime
    round: int
    """How often it was replayed."""
    traceparent: str | None
