"""
Erasures: contacts that were deleted, known by keyed hashes of their identifiers. Pure.

An erasure covers what was accepted before it, wherever that is found: stored, in flight in Kafka,
or read again after a reset of offsets.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from order_contracts.order import MatchKeyType
from order_contracts.texts import trimmed

ERASURE_RETENTION: Final = timedelta(days=31)
MIN_SECRET_LENGTH: Final = 32  # characters of the secret


@dataclass(frozen=True, slots=True)
class Erasure:
    """When a contact was erased."""

    at: datetime
    """When its tombstone was published."""
    seen: datetime
    """When the enricher first read the tombstone; until then the contact was still found."""

    def covers(self, registered_at: datetime, accepted_at: datetime) -> bool:
        """
        Return whether the erasure includes an order, or an action of it.

        The order must have been registered before the tombstone was published: one registered
        later for the same person is a new relation. *accepted_at* is when the command was accepted
        that gave the order its contact, or that asked for the action.
        """
        return registered_at <= self.at and accepted_at <= self.seen


def id_key(contact_id: str) -> str:
    """Return the key of a contact whose id is known: type and comparable value."""
    return f"{MatchKeyType.CONTACT_ID}:{trimmed(contact_id)}"


def former_id_key(contact_id: str) -> str | None:
    """Return the key of an earlier release, which trimmed blanks alone; None where it is equal."""
    former = contact_id.strip()
    return None if former == trimmed(contact_id) else f"{MatchKeyType.CONTACT_ID}:{former}"


def key_hash(secret: bytes, key: str) -> str:
    """Return the hash that *key* is stored as; without the secret nobody can test keys for it."""
    return hmac.digest(secret, key.encode(), "sha256").hex()
