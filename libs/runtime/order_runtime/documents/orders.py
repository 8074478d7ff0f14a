"""The order at rest: its document, and the view of it that is answered and announced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from order_contracts.decoding import at_rest
from order_contracts.derived_ids import version_tag
from order_contracts.order import Order, order_type
from order_runtime.documents.document import Document, field, optional

TOMBSTONE_RETENTION: Final = timedelta(days=60)
"""Twice the jobs' retention: versions must outlive what refers to them."""


@dataclass(frozen=True, slots=True)
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
    status_changed_at: datetime | None = None
    delivery_changed_at: datetime | None = None
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
        "statusChangedAt": state.status_changed_at,
        "deliveryChangedAt": state.delivery_changed_at,
        "cancelledSince": state.cancelled_since,
        "size": state.size,
        "order": state.order.model_dump(exclude_none=True, exclude={"order_action"}),
    }


def order_of(document: Document) -> LiveOrder | Tombstone:
    """Return the order of a document; raises UnreadableDocument where its content can't be read."""
    if "deletedAt" in document:
        return Tombstone(field(document, "version", int), field(document, "deletedAt", datetime))
    return LiveOrder(
        order=at_rest(Order, field(document, "order", dict)),
        version=field(document, "version", int),
        contact_version=field(document, "contactVersion", int),
        contact_since=field(document, "contactSince", int),
        contact_since_at=field(document, "contactSinceAt", datetime),
        job_id=field(document, "jobId", str),
        registered_by=field(document, "registeredBy", str),
        registered_at=field(document, "registeredAt", datetime),
        updated_at=field(document, "updatedAt", datetime),
        status_changed_at=optional(document, "statusChangedAt", datetime),
        delivery_changed_at=optional(document, "deliveryChangedAt", datetime),
        cancelled_since=optional(document, "cancelledSince", int),
        size=field(document, "size", int),
    )
