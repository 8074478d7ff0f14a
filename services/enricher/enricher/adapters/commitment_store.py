"""
Commitments at rest: how each action ends, inserted before anything is done about it.

A worker may pause after any of its steps until another one has taken over and finished. So each
worker inserts its commitment first, under the job's id; one that meets another's there loads and
decides again, and carries that one out.

The agreements outlive the erasure of the contacts that they are about. So they have a contact as
the keyed hash of its id, which is the `_id` of its document too: whoever carries one out finds the
contact by it, and no contact once that was erased.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import bulk_writes
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.model import Commitment, DecidedEvent
from order_contracts.integration_log import DropReason
from order_contracts.job import Action
from order_runtime.documents import job_updates
from order_runtime.documents.document import field, optional, stored
from order_runtime.documents.erasures import id_key
from order_runtime.documents.job_updates import NewAgreement
from order_runtime.mongo import merge_store
from order_runtime.mongo.client import AGREEMENTS, CONTACTS, MERGES, Document

_AGREED: Final = ("end", "contact", "reason")


async def record_commitments(
    database: AsyncDatabase[Document], decided: Sequence[DecidedEvent], keys: ContactKeys
) -> bool:
    """Record the commitments of *decided*; return False if another worker recorded one first."""
    documents = [
        _agreement_document(it, commitment, keys)
        for it in decided
        if it.received.commitment is None and (commitment := it.decision.commitment)
    ]
    return await bulk_writes.insert_new(database[AGREEMENTS], documents)


def _agreement_document(
    decided: DecidedEvent, commitment: Commitment, keys: ContactKeys
) -> Document:
    contact_id, received = commitment.contact_id, decided.received
    contact_hash = None if contact_id is None else keys.hashed(id_key(contact_id))
    new = NewAgreement(
        received.event.job_id,
        commitment.end,
        contact_hash,
        commitment.reason,
        received.accepted_at,
    )
    return job_updates.agreement_document(new)


async def commitments_of(
    database: AsyncDatabase[Document], job_ids: Sequence[str]
) -> dict[str, Commitment]:
    """
    Return the commitments of those of these jobs that have one, by job.

    What was to be fired for a contact that was erased since is dropped. Raises UnreadableStored.
    """
    found = database[AGREEMENTS].find({"_id": {"$in": list(job_ids)}}, _AGREED)
    agreed = {it["_id"]: stored(AGREEMENTS, it, _agreement_of) async for it in found}
    hashes = {contact_hash for _, contact_hash in agreed.values() if contact_hash is not None}
    contacts = await _contact_ids(database, hashes) if hashes else {}
    return {
        job_id: _to_be_fired(contacts.get(contact_hash)) if contact_hash is not None else commitment
        for job_id, (commitment, contact_hash) in agreed.items()
    }


def _to_be_fired(contact_id: str | None) -> Commitment:
    """Return the commitment to fire an action for a contact, None for one that was erased."""
    if contact_id is None:
        return Commitment(Action.DROPPED, reason=DropReason.CONTACT_ERASED)
    return Commitment(Action.FIRED, contact_id)


async def _contact_ids(
    database: AsyncDatabase[Document], hashes: Collection[str]
) -> dict[str, str]:
    """Return the ids of those contacts that exist, by their hashes; of a merged one the other's."""
    found = database[CONTACTS].find({"_id": {"$in": sorted(hashes)}}, ["contactId"])
    existing = {it["_id"]: optional(it, "contactId", str) async for it in found}
    survivors = await merge_store.find_survivors(database[MERGES], hashes)
    ids = existing | {it: survivor.contact_id for it, survivor in survivors.items()}
    return {it: contact_id for it, contact_id in ids.items() if contact_id is not None}


def _agreement_of(agreement: Document) -> tuple[Commitment, str | None]:
    """Return a commitment, and the hash of the contact for which its action is to be fired."""
    reason = DropReason(agreement["reason"]) if "reason" in agreement else None
    return Commitment(Action(agreement["end"]), reason=reason), optional(agreement, "contact", str)


def agreed_of(job: Document) -> Commitment:
    """Return the commitment on a job of an earlier release that has one."""
    agreed = field(job, "agreed", dict)
    return Commitment(Action(agreed["end"]), optional(agreed, "contactId", str))
