"""
Merges: contacts that count as another one, as pointers between keyed hashes of their ids. Pure.

A pointer outlives both contacts. It has the ids themselves only while there is a contact that they
name: that of the merged contact until its tombstone, that of the other one until it is erased.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from order_runtime.documents.document import Document

MAX_HOPS: Final = 100
"""Of a chain of merges; what is merged over more counts as the contact at the hundredth."""


@dataclass(frozen=True, slots=True)
class MergePointer:
    """Whom a contact was merged into; contacts are named by the hash of their id key."""

    into: str
    into_id: str | None
    """Its contactId, until it is erased."""
    own_id: str | None
    """The contactId of the merged contact itself, until its tombstone."""


@dataclass(frozen=True, slots=True)
class Survivor:
    """The contact that another one counts as."""

    hash: str
    contact_id: str | None
    """None once it was erased."""


def pointer_document(own_hash: str, own_id: str, into_hash: str, into_id: str) -> Document:
    return {"_id": own_hash, "ownId": own_id, "into": into_hash, "intoId": into_id}


def survivor_of(start: str, pointers: Mapping[str, MergePointer]) -> Survivor | None:
    """
    Return the contact at the end of the pointers from *start*; None where there is none.

    In a cycle it is the one with the smallest contactId, of those that have no tombstone.
    """
    if start not in pointers:
        return None
    seen: dict[str, str | None] = {}
    at, contact_id = start, pointers[start].own_id
    while at in pointers and at not in seen and len(seen) <= MAX_HOPS:
        seen[at] = contact_id
        at, contact_id = pointers[at].into, pointers[at].into_id
    if at not in seen:
        return Survivor(at, contact_id)
    members = list(_cycle(at, pointers))
    known = [(own_id, it) for it in members if (own_id := pointers[it].own_id) is not None]
    if not known:
        return Survivor(min(members), None)
    contact_id, smallest = min(known)
    return Survivor(smallest, contact_id)


def _cycle(start: str, pointers: Mapping[str, MergePointer]) -> Iterator[str]:
    at = start
    while True:
        yield at
        at = pointers[at].into
        if at == start:
            return
