"""
Events of orders: the few fields that enrichment reads, and the order's JSON text.

The text goes into the messages of actions as it came. Reading an order into its model, and writing
it again, costs more than all else that is done about an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import to_json

from order_contracts.decoding import Invalid, parse, read, read_announced
from order_contracts.events import OrderEvent
from order_contracts.order import ActionRequest, ContactKey, Order

_ORDER: Final = b',"order":{'
_ACTION: Final = b',"action":{'  # what may follow the order


@dataclass(frozen=True, slots=True)
class AnnouncedOrder:
    """An order as an event announces it."""

    order_id: str
    contact: ContactKey
    skus: tuple[str, ...]
    """Of its lines, each once."""
    external_store_id: str | None
    language: str | None
    text: bytes
    """The whole order as JSON, without a contactId."""

    def text_with_contact(self, contact_id: str) -> bytes:
        return b'%b,"contactId":%b}' % (self.text[:-1], to_json(contact_id))


@dataclass(frozen=True, slots=True)
class AnnouncedEvent:
    """The outcome of a command, as `OrderEvent` says it."""

    job_id: str
    order_id: str
    version: int | None = None
    registration: str | None = None
    order: AnnouncedOrder | None = None
    action: ActionRequest | None = None


class _Part(BaseModel):
    """A part of an order; what is not named is passed over."""

    model_config = ConfigDict(alias_generator=to_camel)


class _Line(_Part):
    sku: str


class _Lines(_Part):
    items: tuple[_Line, ...]


class _Order(_Part):
    order_id: str
    contact: ContactKey
    line_items: _Lines
    external_store_id: str | None = None
    language: str | None = None
    contact_id: None = None
    """It gets one here; where it had one before, its text would have two."""


def read_event(raw: bytes) -> AnnouncedEvent:
    """Return the event in *raw*; raises Invalid."""
    try:
        return _cut(raw)
    except (Invalid, ValidationError):
        return announced_event(read_announced(OrderEvent, raw))


def announced_event(event: OrderEvent) -> AnnouncedEvent:
    return _event(event, None if event.order is None else announced_order(event.order))


def announced_order(order: Order) -> AnnouncedOrder:
    """Return *order* as an event would announce it."""
    return _order(order.model_copy(update={"contact_id": None}).to_json())


def _cut(raw: bytes) -> AnnouncedEvent:
    """
    Return the event in *raw*, whose order is cut out where the order-writer puts it.

    Raises Invalid or ValidationError unless what is before it, the order, and what is behind it are
    each a whole: then nothing else was taken for the order, whatever the texts within it say.
    """
    before, found, rest = raw.partition(_ORDER)
    if not found:
        raise Invalid(())
    text, action, behind = rest.rpartition(_ACTION)
    if not action:
        text, behind = rest[:-1], b""
    fields: dict[str, Any] = parse(before + b"}")
    more: dict[str, Any] = parse(b'{"action":{' + behind) if action else {}
    if fields.keys() & more.keys() or "order" in fields | more:
        raise Invalid(())
    return _event(read(OrderEvent, fields | more), _order(b"{" + text))


def _event(event: OrderEvent, order: AnnouncedOrder | None) -> AnnouncedEvent:
    return AnnouncedEvent(
        event.job_id, event.order_id, event.version, event.registration, order, event.action
    )


def _order(text: bytes) -> AnnouncedOrder:
    order = _Order.model_validate_json(text)
    return AnnouncedOrder(
        order_id=order.order_id,
        contact=order.contact,
        skus=tuple(dict.fromkeys([it.sku for it in order.line_items.items])),
        external_store_id=order.external_store_id,
        language=order.language,
        text=text,
    )
