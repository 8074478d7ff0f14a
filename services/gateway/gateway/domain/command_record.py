"""From the body of a request to a command, and from a command to its Kafka record. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from gateway.domain.request_terms import RequestTerms
from order_contracts.base import Message
from order_contracts.cloudevents import Envelope
from order_contracts.commands import Command, type_of
from order_contracts.decoding import Invalid, parse, read
from order_contracts.errors import MAX_ANSWERED, FieldError
from order_contracts.frozen import frozen
from order_contracts.rounding import NONE_ROUNDED, RoundedNumbers, Roundings
from order_contracts.topics import COMMANDS, GATEWAY
from order_runtime.documents.fingerprints import fingerprint, with_milliseconds
from order_runtime.kafka.records import Outgoing

C = TypeVar("C", bound=Message)


@frozen()
class Submission:
    """A valid command with the id and the creation time of its job."""

    job_id: str
    command: Command
    at: datetime
    terms: RequestTerms
    rounded: Roundings = NONE_ROUNDED
    """Which numbers of the body were rounded: the order-writer can't see it any more."""

    def following(self, traceparent: str) -> Submission:
        """Return it as it follows from another span."""
        return replace(self, terms=replace(self.terms, traceparent=traceparent))

    def record(self) -> Outgoing:
        """Return the record to publish: the command in canonical JSON, keyed by its orderId."""
        envelope = Envelope(
            id=self.job_id,
            source=f"/{GATEWAY}",
            type=type_of(type(self.command)),
            time=self.at,
            subject=self.command.order_id,
            traceparent=self.terms.traceparent,
            if_match=self.terms.if_match,
            idempotency_key=self.terms.idempotency_key,
            untrimmed_key=self.terms.untrimmed_key,
            suppress_actions=self.terms.suppress_actions,
            rounded=self.rounded.to_text() if self.rounded.count else None,
            client=self.terms.client,
        )
        key = self.command.order_id.encode()
        return Outgoing(COMMANDS.name, key, self.command.to_json(), envelope.headers())


def claim_fingerprints(command: Command, terms: RequestTerms) -> frozenset[str]:
    """
    Return the fingerprints with which this command may have claimed its Idempotency-Key.

    One of them is that which the order-writer will compute for it.
    Releases before this one cut its lastChangedAt to milliseconds: their claims match as well.
    """
    value = parse(command.to_json())
    values = (value, with_milliseconds(value))
    return frozenset(_fingerprint(command, it, terms) for it in values)


def _fingerprint(command: Command, value: object, terms: RequestTerms) -> str:
    kind, suppress = type_of(type(command)), terms.suppress_actions
    return fingerprint(kind, value, terms.if_match, suppress=suppress)


def command_of(
    model: type[C],
    value: object,
    now: datetime,
    *,
    most: int = MAX_ANSWERED,
    rounded: RoundedNumbers | None = None,
) -> C:
    """Return parsed JSON as a command whose body names the order; raises Invalid, as `read`."""
    return read(model, value, strict=True, now=now, most=most, rounded=rounded)


def command_for_path(
    model: type[C],
    order_id: str,
    value: object,
    now: datetime,
    *,
    rounded: RoundedNumbers | None = None,
) -> C:
    """
    Return parsed JSON as a command to the order that the path names.

    The body may repeat the orderId; raises Invalid where it differs.
    """
    if not isinstance(value, dict):
        return command_of(model, value, now)
    named = value.get("orderId")
    message = "Must equal the orderId of the path, or be absent"
    mismatch = FieldError(pointer="/orderId", code="Invalid", message=message)
    errors = () if named is None or named == order_id else (mismatch,)
    try:
        command = command_of(model, value | {"orderId": order_id}, now, rounded=rounded)
    except Invalid as error:
        raise Invalid((*errors, *error.errors)) from None
    if errors:
        raise Invalid(errors)
    return command
