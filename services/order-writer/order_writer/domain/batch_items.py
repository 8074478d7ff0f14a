"""What a record of `orders.commands` becomes: a command, or the reason why it is none. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from order_contracts.cloudevents import UNGUARDED, DeleteGuard
from order_contracts.commands import Command
from order_contracts.errors import Failure
from order_contracts.frozen import frozen
from order_contracts.job import Operation
from order_contracts.rounding import NONE_ROUNDED, Roundings
from order_runtime.documents.senders import UNKNOWN, Sender
from order_runtime.kafka.records import Record
from order_writer.domain.record_ids import bytes_fingerprint, position_id


def _signed_by_none(_: Record) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """What must be known of `orders.commands` to decode its records."""

    topic_id: str
    """Kafka's id of the topic, which changes when the topic is deleted and created again."""
    partitions: int
    issued: Callable[[str], bool]
    """Whether one of our gateways issued a job id."""
    signed: Callable[[Record], bool] = _signed_by_none
    """Whether one of our gateways made a record, as its signature proves."""


@frozen()
class DecodedCommand:
    """A record that holds a valid command."""

    record: Record
    job_id: str
    topic: TopicInfo
    fingerprint: str
    order_id: str
    operation: Operation
    command: Command
    if_match: str | None = None
    idempotency_keys: tuple[str, ...] = ()
    """What the command claims: its Idempotency-Key, in every form that retries may have."""
    suppress_actions: bool = False
    guard: DeleteGuard = UNGUARDED
    misrouted: bool = False
    """Whether the record is on another partition than its key belongs to."""
    replayed_job_id: str | None = None
    """The failed job that this record is the replay of, according to its header."""
    earlier_fingerprint: str | None = None
    """
    Of a gateway's command with an Idempotency-Key: the fingerprint under which a release claimed
    that key which cut lastChangedAt to milliseconds.
    """
    rounded: Roundings = NONE_ROUNDED
    """Which numbers were rounded, here or by the gateway."""
    sender: Sender = UNKNOWN
    from_gateway: bool = False
    """Whether one of our gateways issued its id."""
    traceparent: str | None = None
    """The trace that it belongs to."""

    @property
    def fallback_job_id(self) -> str:
        """The job id derived from the record's position, for when `job_id` is already taken."""
        return position_id(self.record, self.topic.topic_id)

    @property
    def bytes_fingerprint(self) -> str:
        """The fingerprint of the record's bytes, which recognises it where it isn't decoded."""
        return bytes_fingerprint(self.record)


@dataclass(frozen=True, slots=True)
class UnreadableCommand:
    """A record that holds no valid command; it becomes a failed job and a dead letter."""

    record: Record
    job_id: str
    topic: TopicInfo
    fingerprint: str
    order_id: str | None
    failure: Failure
    from_gateway: bool = False
    """Whether one of our gateways made it, as its signature proves."""
    replayed_job_id: str | None = None
    traceparent: str | None = None
    without_stored: bool = False
    """
    Whether to refuse it whatever is stored: its order's document, which is not read then, or its
    job's, may be what can't be read.
    """
    sender: Sender = UNKNOWN

    @property
    def fallback_job_id(self) -> str:
        return position_id(self.record, self.topic.topic_id)

    @property
    def bytes_fingerprint(self) -> str:
        return bytes_fingerprint(self.record)


BatchItem = DecodedCommand | UnreadableCommand
