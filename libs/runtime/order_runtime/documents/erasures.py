"""
Who was erased, without saying who: what must not come back is known by keyed hashes.

An erasure covers what came before it, wherever that is met: at rest, under way, or read again.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from order_contracts.order import MatchKeyType

ERASURE_RETENTION: Final = timedelta(days=31)
MIN_SECRET_LENGTH: Final = 32  # characters of the secret


@dataclass(frozen=True, slots=True)
class Erasure:
    """When a contact was erased."""

    at: datetime
    """When its tombstone was published."""
    seen: datetime
    """When the tombstone was first looked at: until then the contact seemed to be there."""

    def covers(self, registered_at: datetime, accepted_at: datetime) -> bool:
        """
        Return whether an order, or an action, belongs to what was erased.

        It does of an order that was registered before: one that is registered later for the same
        person is a new relation. *accepted_at* is when the command was accepted by which the order
        came to mean its contact, or which asked for the action.
        """
        return registered_at <= self.at and accepted_at <= self.seen


def id_key(contact_id: str) -> str:
    """Return the key of a contact whose id is known: type and comparable value."""
    return f"{MatchKeyType.CONTACT_ID}:{contact_id.strip()}"


def key_hash(secret: bytes, key: str) -> str:
    """Return what *key* is kept as; without the secret nobody can try keys against it."""
    return hmac.digest(secret, key.encode(), "sha256").hex()
