"""The order at rest: its document, and the view of it that is answered and announced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Final

import orjson

from order_contracts.amounts import json_number
from order_contracts.decoding import at_rest
from order_contracts.derived_ids import version_tag
from order_contracts.frozen import frozen
from order_contracts.order import Order, order_type
from order_contracts.times import moment, rfc3339
from order_contracts.values import JsonText
from order_runtime.documents.document import Document, field, optional

EXACT: Final = "exactTimes"
"""The field with `lastChangedAt` as text, of the order and of its aspects, beside their dates."""
_NOT_CONTENT: Final = {
    *("order_action", "order_type", "version_tag", "registered_at", "updated_at", "contact_id")
}
"""The fields of an order that are told in another way, or not at all."""
TOMBSTONE_RETENTION: Final = timedelta(days=60)
"""Twice the jobs' retention: versions must outlive what refers to them."""
_OURS: Final = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
"""Leave to `_json_value` what the contract writes in its own way."""


@frozen(slots=False)
class LiveOrder:
    """
    An order that exists.

    `version` grows with every applied change, also over a deletion and the next registration;
    `contact_version` is the version at which it was last registered or replaced: what enrichment
    found for it counts while it carries this one. `contact_since` is the version at which it got
    the contact that it names: of a link that is as new, the contact counts; `contact_since_at` is
    when that command was accepted. `cancelled_since` is the version that cancelled it, while it
    is: what was held before that one isn't to happen.
    """

    order: Order
    version: int
    contact_version: int
    contact_since: int
    contact_since_at: datetime
    job_id: str
    """The job that made this version; the version tag is derived from it."""
    registered_by: str
    """The job that registered it: the one that a 409 names."""
    registered_at: datetime
    updated_at: datetime
    status_changed_at: str | datetime | None = None
    """lastChangedAt of its last change with every digit; to the millisecond where it is older."""
    delivery_changed_at: str | datetime | None = None
    cancelled_since: int | None = None
    size: int = 0
    """Bytes of the order as JSON."""

    def view(self, contact_id: str | None = None) -> Order:
        """Return the order as it is answered: with its read-only fields, without its action."""
        return self.order.model_copy(
            update={
                "order_action": None,
                "order_type": order_type(self.order),
                "version_tag": version_tag(self.job_id),
                "registered_at": self.registered_at,
                "updated_at": self.updated_at,
                "contact_id": contact_id,
            }
        )

    @cached_property
    def content(self) -> Document:
        """The order with neither its read-only fields nor its action: Decimals, and free text."""
        return self.order.model_dump(exclude_none=True, exclude=_NOT_CONTENT)

    def view_json(self) -> bytes:
        """Return `view()` as JSON, from the content that is stored: read once, written twice."""
        read_only = {
            "orderType": order_type(self.order),
            "versionTag": version_tag(self.job_id),
            "registeredAt": self.registered_at,
            "updatedAt": self.updated_at,
        }
        return orjson.dumps(self.content | read_only, _json_value, _OURS)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What a deleted order leaves behind, so that its versions never start again."""

    version: int
    deleted_at: datetime


def order_document(order_id: str, state: LiveOrder | Tombstone) -> Document:
    """Return the document of an order: money as Decimal, free objects as text."""
    if isinstance(state, Tombstone):
        return {"_id": order_id, "version": state.version, "deletedAt": state.deleted_at}
    return {
        "_id": order_id,
        "version": state.version,
        "contactVersion": state.contact_version,
        "contactSince": state.contact_since,
        "contactSinceAt": state.contact_since_at,
        "jobId": state.job_id,
        "registeredBy": state.registered_by,
        "registeredAt": state.registered_at,
        "updatedAt": state.updated_at,
        "statusChangedAt": _milliseconds(state.status_changed_at),
        "deliveryChangedAt": _milliseconds(state.delivery_changed_at),
        EXACT: _exact_times(state),
        "cancelledSince": state.cancelled_since,
        "size": state.size,
        "order": _content_at_rest(state),
    }


def _content_at_rest(state: LiveOrder) -> Document:
    at = state.order.last_changed_at
    return state.content if at is None else state.content | {"lastChangedAt": _milliseconds(at)}


def _exact_times(state: LiveOrder) -> Document:
    """Return the times whose digits the dates beside them may lack."""
    times = {
        "order": state.order.last_changed_at,
        "status": state.status_changed_at,
        "delivery": state.delivery_changed_at,
    }
    return {name: at for name, at in times.items() if isinstance(at, str)}


def _json_value(value: object) -> object:
    """Return what stands for *value* in the JSON of an order, as the contract's models write it."""
    if isinstance(value, Decimal):
        return json_number(value)
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, JsonText):
        return orjson.Fragment(value.encode())
    raise TypeError(f"no part of an order: {type(value).__name__}")


def _milliseconds(at: str | datetime | None) -> datetime | None:
    return moment(at) if isinstance(at, str) else at


def order_of(document: Document) -> LiveOrder | Tombstone:
    """Return the order of a document; raises UnreadableDocument where its content can't be read."""
    if "deletedAt" in document:
        return Tombstone(field(document, "version", int), field(document, "deletedAt", datetime))
    exact: dict[str, str] = optional(document, EXACT, dict) or {}
    return LiveOrder(
        order=at_rest(Order, _with_exact_time(field(document, "order", dict), exact.get("order"))),
        version=field(document, "version", int),
        contact_version=field(document, "contactVersion", int),
        contact_since=field(document, "contactSince", int),
        contact_since_at=field(document, "contactSinceAt", datetime),
        job_id=field(document, "jobId", str),
        registered_by=field(document, "registeredBy", str),
        registered_at=field(document, "registeredAt", datetime),
        updated_at=field(document, "updatedAt", datetime),
        status_changed_at=exact.get("status") or optional(document, "statusChangedAt", datetime),
        delivery_changed_at=exact.get("delivery")
        or optional(document, "deliveryChangedAt", datetime),
        cancelled_since=optional(document, "cancelledSince", int),
        size=field(document, "size", int),
    )


def _with_exact_time(content: Document, exact: str | None) -> Document:
    return content if exact is None else {**content, "lastChangedAt": exact}
