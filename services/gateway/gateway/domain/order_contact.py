"""What the link of an order says of its contact. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from order_runtime.documents.document import Document, field, optional


@dataclass(frozen=True, slots=True)
class ActionPreconditions:
    """What decides at once whether an action can be triggered for an order."""

    job_id: str
    """The job that made the order's version."""
    contact_missing: bool
    """Whether enrichment found that the contact does not exist; false while it is pending."""


def action_preconditions(order: Document, link: Document | None) -> ActionPreconditions | None:
    """
    Return the preconditions from the documents of an order; None where it was deleted.

    Raises UnreadableDocument, as `linked_contact` does.
    """
    if "deletedAt" in order:
        return None
    missing = (
        link is not None
        and field(link, "contactVersion", int) == field(order, "contactVersion", int)
        and optional(link, "contactId", str) is None
    )
    return ActionPreconditions(field(order, "jobId", str), missing)


def linked_contact(order: Document, link: Document | None) -> str | None:
    """
    Return the contactId of the link, where the link is one of the contact that the order names.

    After a replacement that names the same contact, the older link holds until enrichment has
    written the new one.
    """
    if link is None:
        return None
    since, last = (field(order, it, int) for it in ("contactSince", "contactVersion"))
    holds = since <= field(link, "contactVersion", int) <= last
    return optional(link, "contactId", str) if holds else None
