"""Reference data that orders are checked against; more fields than these are ignored."""

from __future__ import annotations

from order_contracts.base import Message
from order_contracts.values import Language, Name, OptionalName


class Contact(Message):
    """A person known to the platform, found by any of its keys."""

    contact_id: Name
    merged_into: OptionalName = None
    """The contactId that everything of this contact counts as, from this record on, for good."""
    email: OptionalName = None
    mobile_phone: OptionalName = None
    external_id: OptionalName = None
    member_number: OptionalName = None
    social_security_number: OptionalName = None
    card_id: OptionalName = None
    contact_type: OptionalName = None
    language: Language | None = None


class Article(Message):
    sku: Name
    article_number: OptionalName = None
    name: str | None = None


class Store(Message):
    external_store_id: Name
    name: str | None = None


ReferenceMessage = Contact | Article | Store
