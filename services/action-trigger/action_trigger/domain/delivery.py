"""An action's delivery as values: received, pending, attempted, ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from action_trigger.domain.retry_policy import AttemptOutcome
from order_contracts.order import ActionName
from order_runtime.kafka.records import Record


@dataclass(frozen=True, slots=True)
class ReceivedAction:
    """An action as read from Kafka."""

    action_id: str
    job_id: str
    order_id: str
    action: ActionName
    contact_id: str
    registered_at: datetime
    """When the order was registered."""
    accepted_at: datetime
    """When the command that requested the action was accepted."""
    record: Record
    traceparent: str | None = None
    replay: bool = False
    """Whether an operator replayed the record, so that a failed delivery is to be retried."""


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """A pending delivery without its body."""

    id: str
    order_id: str
    partition: int
    offset: int
    action: ActionName
    size: int
    """Bytes of the action's message; its webhook's body has about as many."""
    attempts: int
    """Made so far, in all schedules."""
    scheduled: int
    """Made so far in the current schedule; a replay starts a new one."""
    due_at: datetime
    created_at: datetime
    started_at: datetime
    """When the current schedule began."""
    parked: bool = False
    """Whether it waits behind others of its order, and is due only to be looked at again."""
    accepted_at: datetime | None = None
    """When the command that requested the action was accepted."""
    fired_at: datetime | None = None
    """When the action's record came to Kafka."""
    traceparent: str | None = None
    """The trace that its attempts belong to."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request, and what followed from its response."""

    delivery: PendingDelivery
    at: datetime
    duration: timedelta
    outcome: AttemptOutcome
    status: int | None
    """None where there was no response."""
    excerpt: str
    """The first characters of the response, or why there was none; secrets are masked."""


@dataclass(frozen=True, slots=True)
class EndedDelivery:
    """A delivery whose last change of state is to be announced: it ended, or was replayed."""

    id: str
    job_id: str
    order_id: str
    action: ActionName
    state: str
    attempts: int
    status: int | None
    reason: str | None
    """Why it failed."""
    at: datetime
    """When the state changed."""
    round: int
    """How often it was replayed."""
    traceparent: str | None
