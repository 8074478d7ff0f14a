"""Which contact an order means: keys made comparable, and the one contact that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from order_contracts.order import ContactKey, MatchKeyType
from order_contracts.reference import Contact

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


def contact_keys(contact: Contact) -> tuple[str, ...]:
    """Return every key that *contact* is found by."""
    values = ((kind, getattr(contact, field)) for kind, field in _FIELDS.items())
    return tuple(_key(kind, value) for kind, value in values if value is not None)


def lookup_key(contact: ContactKey) -> str:
    """Return the key that the order's contact is looked up by."""
    return _key(contact.match_key_type, contact.match_key)


def id_key(contact_id: str) -> str:
    """Return the key of a contact whose id is known."""
    return _key(MatchKeyType.CONTACT_ID, contact_id)


def matched(contact: ContactKey, candidates: Candidates) -> KnownContact | str:
    """Return the one contact that the order means, else the code that says why there is none."""
    wanted = contact.contact_type.casefold()
    fitting = [
        known
        for known in candidates.get(lookup_key(contact), ())
        if known.contact_type is None or known.contact_type.casefold() == wanted
    ]
    if len(fitting) > 1:
        return AMBIGUOUS
    return fitting[0] if fitting else MISSING


def _key(kind: MatchKeyType, value: str) -> str:
    text = value.strip()
    return f"{kind}:{text.casefold() if kind is MatchKeyType.EMAIL else text}"
