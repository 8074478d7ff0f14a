"""Which contact an order means: keys made comparable, and the one contact that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import phonenumbers

from order_contracts.order import ContactKey, MatchKeyType
from order_contracts.reference import Contact
from order_runtime.documents.erasures import key_hash

MISSING: Final = "ContactMissing"
AMBIGUOUS: Final = "ContactAmbiguous"

_FIELDS: Final = MappingProxyType(
    {
        MatchKeyType.CONTACT_ID: "contact_id",
        MatchKeyType.EMAIL: "email",
        MatchKeyType.MOBILE_PHONE: "mobile_phone",
        MatchKeyType.EXTERNAL_ID: "external_id",
        MatchKeyType.MEMBER_NUMBER: "member_number",
        MatchKeyType.SOCIAL_SECURITY_NUMBER: "social_security_number",
        MatchKeyType.CARD_ID: "card_id",
    }
)


@dataclass(frozen=True, slots=True)
class KnownContact:
    contact_id: str
    contact_type: str | None = None
    language: str | None = None


Candidates = Mapping[str, Sequence[KnownContact]]
"""The contacts that carry a key, by that key."""


@dataclass(frozen=True, slots=True)
class ContactKeys:
    """How a contact's identifiers are made comparable: the same way for contacts and orders."""

    secret: bytes = field(repr=False)
    """Of the hashes by which an erased contact's keys are known."""
    region: str | None = None
    """The country whose phone numbers may come without their country code; None: none's."""

    def of(self, contact: Contact) -> tuple[str, ...]:
        """Return every key that *contact* is found by."""
        values = ((kind, getattr(contact, field)) for kind, field in _FIELDS.items())
        return tuple(self._key(kind, value) for kind, value in values if value is not None)

    def wanted(self, contact: ContactKey) -> str:
        """Return the key that the order's contact is looked up by."""
        return self._key(contact.match_key_type, contact.match_key)

    def hashed(self, key: str) -> str:
        return key_hash(self.secret, key)

    def _key(self, kind: MatchKeyType, value: str) -> str:
        text = value.strip()
        if kind is MatchKeyType.EMAIL:
            text = text.casefold()
        elif kind is MatchKeyType.MOBILE_PHONE:
            text = _e164(text, self.region)
        return f"{kind}:{text}"


def match_contact(contact: ContactKey, found: Sequence[KnownContact]) -> KnownContact | str:
    """Return which of those *found* by its key the order means, else why it is none of them."""
    wanted = contact.contact_type.casefold()
    fitting = [
        known
        for known in found
        if known.contact_type is None or known.contact_type.casefold() == wanted
    ]
    if len(fitting) > 1:
        return AMBIGUOUS
    return fitting[0] if fitting else MISSING


@lru_cache(maxsize=16_384)
def _e164(text: str, region: str | None) -> str:
    """Return a phone number as `+`, country code and digits; what is none, as it is."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return text
    if not phonenumbers.is_possible_number(number):
        return text
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
