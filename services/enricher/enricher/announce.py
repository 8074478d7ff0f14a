"""The enricher's messages as records, under ids derived from the job they come from."""

from __future__ import annotations

from collections.abc import Iterator

from enricher.decision import Decision, Happened
from order_contracts.base import Message
from order_contracts.cloudevents import Envelope
from order_contracts.events import OrderAction, OrderEnriched
from order_contracts.identity import event_id
from order_contracts.topics import ACTIONS, ENRICHED, ENRICHER, Topic
from order_runtime.records import Outgoing


def announcements(happened: Happened, decision: Decision) -> Iterator[Outgoing]:
    """Yield what *decision* has to tell; a repeat tells the same under the same ids."""
    if decision.enriched is not None:
        yield _record(ENRICHED, OrderEnriched.TYPE, decision.enriched, happened)
    if decision.fire is not None:
        yield _record(ACTIONS, OrderAction.TYPE, decision.fire, happened)


def _record(topic: Topic, kind: str, message: Message, cause: Happened) -> Outgoing:
    envelope = Envelope(
        id=event_id(cause.event.job_id, kind),
        source=f"/{ENRICHER}",
        type=kind,
        time=cause.accepted_at,
        subject=cause.event.order_id,
        traceparent=cause.traceparent,
    )
    key = cause.event.order_id.encode()
    return Outgoing(topic.name, key, message.to_json(), envelope.headers())
