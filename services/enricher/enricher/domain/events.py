"""The enricher's messages as records, under ids derived from the jobs they follow from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from enricher.domain.fired_action import FiredAction
from enricher.domain.model import ContactLink, DecidedEvent, HeldAction, OrderLifetime
from order_contracts.cloudevents import DeleteGuard, Envelope
from order_contracts.commands import DeleteOrder, type_of
from order_contracts.derived_ids import derived, event_id
from order_contracts.events import OrderAction, OrderEnriched
from order_contracts.topics import ACTIONS, COMMANDS, ENRICHED, ENRICHER, Topic
from order_runtime.kafka.records import Outgoing


def outgoing_records(decided: DecidedEvent) -> Iterator[Outgoing]:
    """Yield the messages of a decision; deciding again yields the same ids."""
    received, decision = decided.received, decided.decision
    job_id, at = received.event.job_id, received.accepted_at
    if decision.enriched is not None:
        message_id = event_id(job_id, OrderEnriched.TYPE)
        yield _record(
            ENRICHED, _order_enriched(decision.enriched), message_id, at, received.traceparent
        )
    if decision.fire is not None:
        message_id = event_id(job_id, OrderAction.TYPE)
        yield _record(ACTIONS, decision.fire, message_id, at, received.traceparent)


def healed_record(link: ContactLink, now: datetime, traceparent: str | None = None) -> Outgoing:
    """
    Return the announcement of a link that was healed.

    Its id is derived from the content of the link: a consumer that has seen the order without its
    contact does not take this for a duplicate, and takes a repeat of this for one.
    """
    parts = [text for missing in link.missing for text in (missing.code, missing.reference)]
    message_id = derived("healed", link.job_id, link.contact_id or "", *parts)
    return _record(ENRICHED, _order_enriched(link), message_id, now, traceparent)


def deletion_command(lifetime: OrderLifetime, at: datetime) -> Outgoing:
    """
    Return the command that deletes an order of an erased contact.

    Its guard keeps the order-writer from deleting a later registration of the orderId, or an order
    that was replaced for another contact.
    """
    envelope = Envelope(
        id=derived("erasure", lifetime.order_id, lifetime.registered_by, lifetime.contact_since),
        source=f"/{ENRICHER}",
        type=type_of(DeleteOrder),
        time=at,
        subject=lifetime.order_id,
        guard=DeleteGuard(lifetime.registered_by, lifetime.contact_since),
    )
    command = DeleteOrder(order_id=lifetime.order_id)
    return Outgoing(
        COMMANDS.name, lifetime.order_id.encode(), command.to_json(), envelope.headers()
    )


def held_action_record(held: HeldAction, traceparent: str | None = None) -> Outgoing:
    """Return a held action's message, under the id that it would have had without being held."""
    message_id = event_id(held.job_id, OrderAction.TYPE)
    envelope = _envelope(OrderAction.TYPE, message_id, held.order_id, held.accepted_at, traceparent)
    return Outgoing(ACTIONS.name, held.order_id.encode(), held.message, envelope.headers())


def _order_enriched(link: ContactLink) -> OrderEnriched:
    return OrderEnriched.model_construct(
        job_id=link.job_id,
        order_id=link.order_id,
        version=link.contact_version,
        contact_id=link.contact_id,
        missing=link.missing,
    )


def _record(
    topic: Topic,
    message: OrderEnriched | FiredAction,
    message_id: str,
    at: datetime,
    traceparent: str | None = None,
) -> Outgoing:
    envelope = _envelope(message.TYPE, message_id, message.order_id, at, traceparent)
    return Outgoing(topic.name, message.order_id.encode(), message.to_json(), envelope.headers())


def _envelope(
    kind: str, message_id: str, order_id: str, at: datetime, traceparent: str | None = None
) -> Envelope:
    return Envelope(
        id=message_id,
        source=f"/{ENRICHER}",
        type=kind,
        time=at,
        subject=order_id,
        traceparent=traceparent,
    )
