"""Records of `orders.events` as events, or the reason why they can't be read."""

from __future__ import annotations

from enricher.domain.announced import read_event
from enricher.domain.model import ReceivedEvent
from order_contracts.cloudevents import BadHeaders, read_headers, time_of
from order_contracts.decoding import Invalid
from order_contracts.events import EventType
from order_contracts.trace_context import TRACEPARENT, well_formed
from order_runtime.kafka.records import Record


class UnreadableEvent(ValueError):
    """A record that is no event of an order; the reason repeats nothing of its content."""


def received_event(record: Record) -> ReceivedEvent:
    """Return the event in *record*; raises UnreadableEvent."""
    if record.unreadable is not None:
        raise UnreadableEvent(record.unreadable)
    try:
        headers = read_headers(record.headers)
        event = read_event(record.value or b"")
        kind = EventType(headers["ce_type"])
    except (BadHeaders, Invalid) as error:
        raise UnreadableEvent(str(error)) from None
    except KeyError as error:
        raise UnreadableEvent(f"The header {error.args[0]} is missing") from None
    except ValueError:
        raise UnreadableEvent("The header ce_type names no event of an order") from None
    accepted_at = time_of(headers) or record.at
    place = record.partition, record.offset
    trace = well_formed(headers.get(TRACEPARENT))
    return ReceivedEvent(kind, event, accepted_at, trace, place)
