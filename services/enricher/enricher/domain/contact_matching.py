"""Matching an order to its contact: comparable keys, and the one contact that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import phonenumbers

from order_contracts.order import ContactKey, MatchKeyType
from order_contracts.reference import Contact
from order_contracts.texts import is_blank, trimmed
from order_runtime.documents.erasures import key_hash

CONTACT_MISSING: Final = "ContactMissing"
CONTACT_AMBIGUOUS: Final = "ContactAmbiguous"

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
    """A contact of the reference data, without its keys."""

    contact_id: str
    contact_type: str | None = None
    language: str | None = None
    awaited: str | None = None
    """Where others were merged into it, and it does not exist: the hash of its id key."""


Candidates = Mapping[str, Sequence[KnownContact]]
"""The contacts that carry a key, by that key."""


@dataclass(frozen=True, slots=True)
class ContactKeys:
    """Makes the identifiers of contacts and orders comparable, in the same way for both."""

    secret: bytes = field(repr=False)
    """For the hashes of the keys of erased contacts."""
    region: str | None = None
    """The country whose phone numbers may omit their country code; None: no country's."""

    def all_of(self, contact: Contact) -> tuple[str, ...]:
        """Return every key that *contact* can be found by; one that is blank is nobody's."""
        values = ((kind, getattr(contact, field)) for kind, field in _FIELDS.items())
        return tuple(
            self._key(kind, value)
            for kind, value in values
            if value is not None and not is_blank(value)
        )

    def lookup_key(self, contact: ContactKey) -> str:
        """Return the key that an order's contact is looked up by."""
        return self._key(contact.match_key_type, contact.match_key)

    def hashed(self, key: str) -> str:
        return key_hash(self.secret, key)

    def _key(self, kind: MatchKeyType, value: str) -> str:
        text = trimmed(value)
        if kind is MatchKeyType.EMAIL:
            text = text.casefold()
        elif kind is MatchKeyType.MOBILE_PHONE:
            text = _e164(text, self.region)
        return f"{kind}:{text}"


def match_contact(contact: ContactKey, candidates: Sequence[KnownContact]) -> KnownContact | str:
    """Return the one of *candidates* whose type fits the order's, else the code of the reason."""
    contact_type = contact.contact_type.casefold()
    fitting = [
        it
        for it in candidates
        if it.contact_type is None or it.contact_type.casefold() == contact_type
    ]
    if len(fitting) > 1:
        return CONTACT_AMBIGUOUS
    return fitting[0] if fitting and fitting[0].awaited is None else CONTACT_MISSING


@lru_cache(maxsize=16_384)
def _e164(text: str, region: str | None) -> str:
    """Return a phone number as `+`, country code and digits; other text unchanged."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return text
    if not phonenumbers.is_possible_number(number):
        return text
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
