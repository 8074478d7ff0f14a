"""Contacts, articles and stores at rest: written as their topics give them, the newest counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final

from pymongo import ReplaceOne, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from enricher import metrics
from enricher.adapters import bulk_writes
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.erasure import DeletedContact
from enricher.domain.healing import HealingItem, item_id
from enricher.domain.references import (
    FORMER_KEYS,
    MATCHES_AS,
    former_document,
    match_class,
    reference_document,
    taken_faults,
    taken_pointer,
)
from enricher.log_events import FIELDS_PASSED_OVER, REFERENCE_PASSED_OVER
from order_contracts import topics
from order_contracts.decoding import Invalid
from order_contracts.reference import FieldFaults
from order_runtime.documents.document import field, optional, stored
from order_runtime.documents.erasures import id_key
from order_runtime.kafka.records import Record
from order_runtime.mongo import merge_store
from order_runtime.mongo.client import ARTICLES, CONTACTS, MERGES, STORES, Document
from order_runtime.mongo.portions import portions
from order_runtime.process.logs import log
from order_runtime.process.unreadable import readable

COLLECTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        topics.CONTACTS.name: CONTACTS,
        topics.ARTICLES.name: ARTICLES,
        topics.STORES.name: STORES,
    }
)
"""By the name of the topic."""
_KEY_FIELDS: Final = {"keys": 1, FORMER_KEYS: 1, "position": 1}


@dataclass(frozen=True, slots=True)
class StoredReferences:
    """The effect of records of one topic."""

    documents: list[str]
    """The ids of their documents."""
    changed: list[Document]
    """Those with former keys, each as `_id` and position."""
    deleted: list[DeletedContact]
    """The contacts whose newest record is a tombstone, but for those that were merged."""
    merged: Mapping[str, str]
    """The contacts that were merged, now or before: the id of each, by its hash."""
    tombstones: frozenset[str]
    """The documents whose newest record here is one."""


async def store_references(
    database: AsyncDatabase[Document], records: Sequence[Record], keys: ContactKeys, topic_id: str
) -> StoredReferences:
    """
    Write *records*, all of one topic; unreadable ones are logged and skipped.

    Raises UnreadableStored.
    """
    topic = records[0].topic
    latest, tombstones, pointers = _latest_documents(records, keys, topic_id)
    # First: whoever reads its tombstone must know of the merge.
    merges = [newer_reference_write(it, keyed=False) for it in pointers.values()]
    await bulk_writes.bulk_write(database[MERGES], merges)
    has_former_keys = COLLECTIONS[topic] == CONTACTS
    if has_former_keys:
        await _classify(database, latest)
    writes = [newer_reference_write(it, keyed=has_former_keys) for it in latest.values()]
    await bulk_writes.bulk_write(database[COLLECTIONS[topic]], writes)
    metrics.REFERENCES.labels(topic).inc(len(records))
    merged = await merge_store.find_survivors(database[MERGES], latest if has_former_keys else {})
    gone = tombstones if has_former_keys else {}
    erased = {id_hash: name for id_hash, name in gone.items() if id_hash not in merged}
    return StoredReferences(
        documents=list(latest),
        changed=await _changed(database, latest) if has_former_keys else [],
        deleted=await _deleted_contacts(database, erased),
        merged={it: name for it in merged if (name := gone.get(it) or latest[it].get("contactId"))},
        tombstones=frozenset(tombstones),
    )


async def _changed(
    database: AsyncDatabase[Document], latest: Mapping[str, Document]
) -> list[Document]:
    """Return those of these contacts that have former keys, as `_id` and position."""
    where = {"_id": {"$in": list(latest)}, FORMER_KEYS: {"$exists": True}}
    found = database[CONTACTS].find(where, {"position": 1})
    # A document newer than the records here is another worker's: it has yet to note its erasure.
    return [it async for it in found if it["position"] == latest[it["_id"]]["position"]]


async def _classify(database: AsyncDatabase[Document], contacts: Mapping[str, Document]) -> None:
    """Set the class of *contacts*, by `_id`: of merged ones, by the pointers that are stored."""
    pointers = await merge_store.find_pointers(database[MERGES], contacts)
    for id_hash, document in contacts.items():
        pointer = pointers.get(id_hash)
        if (name := match_class(document, pointer.into if pointer else None)) is not None:
            document[MATCHES_AS] = name


def _latest_documents(
    records: Sequence[Record], keys: ContactKeys, topic_id: str
) -> tuple[dict[str, Document], dict[str, str], dict[str, Document]]:
    """
    Return the last document of each `_id`, the record key of each that has a tombstone, and the
    last pointer of each that was merged.
    """
    latest: dict[str, Document] = {}
    tombstones: dict[str, str] = {}
    pointers: dict[str, Document] = {}
    for record in records:
        try:
            document = reference_document(record, keys, topic_id)
        except Invalid as error:
            log_skipped(record, str(error))
        else:
            if (pointer := taken_pointer(document, keys)) is not None:
                pointers[document["_id"]] = pointer
            _report_faults(record, taken_faults(document))
            former = former_document(record, document, keys)
            for each in (document, former) if former else (document,):
                latest[each["_id"]] = each
                if record.value is None and record.key is not None:
                    tombstones[each["_id"]] = record.key.decode()
    return latest, tombstones, pointers


def newer_reference_write(document: Document, *, keyed: bool) -> ReplaceOne[Document] | UpdateOne:
    """
    Return the write of *document*, unless the stored one is newer.

    Where it is, the upsert ends in a duplicate key, to be ignored. A stored one whose position
    can't be read counts as older. A *keyed* document keeps the keys that it had before until the
    orders that wait for one of them were reconciled.
    """
    position = document["position"]
    log = {f"position.{name}": position[name] for name in ("topic", "partition")}
    older: list[Document] = [
        {**log, "position.offset": {"$lt": position["offset"]}},
        # A topic that was recreated begins at offset 0 again. Within one log the broker's time
        # decides nothing: it goes back when the leader moves to a broker whose clock is behind.
        {"$nor": [log], "position.at": {"$lt": position["at"]}},
        {"$nor": [{"position.at": {"$type": "date"}, "position.offset": {"$type": "number"}}]},
    ]
    where = {"_id": document["_id"], "$or": older}
    if not keyed:
        return ReplaceOne(where, document, upsert=True)
    former: list[Document] = [
        {"$cond": [{"$isArray": name}, name, []]} for name in ("$keys", f"${FORMER_KEYS}")
    ]
    merged = {"$mergeObjects": [{"$literal": document}, {FORMER_KEYS: {"$setUnion": former}}]}
    return UpdateOne(where, [{"$replaceWith": merged}], upsert=True)


async def _deleted_contacts(
    database: AsyncDatabase[Document], tombstones: Mapping[str, str]
) -> list[DeletedContact]:
    """Return those that are still deleted: one that was created again was erased before that."""
    where = {"_id": {"$in": list(tombstones)}, "deletedAt": {"$exists": True}}
    return [
        stored(CONTACTS, it, partial(_deleted_contact, tombstones[it["_id"]]))
        async for it in database[CONTACTS].find(where)
    ]


def _deleted_contact(contact_id: str, document: Document) -> DeletedContact:
    former = optional(document, FORMER_KEYS, list) or ()
    return DeletedContact(
        contact_id=contact_id,
        keys=frozenset([id_key(contact_id), *former]),
        at=field(document, "deletedAt", datetime),
    )


async def forget_former_keys(
    database: AsyncDatabase[Document], changed: Sequence[Document]
) -> None:
    """
    Remove the former keys of these contacts, once the orders that wait for them are reconciled.

    Each is given as `_id` and position: one that changed since keeps them for its next walk.
    """
    for some in portions(changed, bulk_writes.MAX_WRITTEN):
        await database[CONTACTS].update_many({"$or": some}, {"$unset": {FORMER_KEYS: ""}})


def _report_faults(record: Record, faults: FieldFaults) -> None:
    """Log and count fields that were passed over: record and field are named, no value is."""
    if not faults:
        return
    for name, reason in faults.items():
        metrics.FIELD_FAULTS.labels(record.topic, name, reason).inc()
    log().warning(
        FIELDS_PASSED_OVER,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        record=(record.key or b"").decode(),
        fields=faults,
    )


async def documents_of(
    database: AsyncDatabase[Document], items: Iterable[HealingItem]
) -> dict[str, Document]:
    """Return the documents of these items of the healing queue, by the item's id: keys alone."""
    by_topic: dict[str, list[str]] = defaultdict(list)
    for it in items:
        by_topic[it.topic].append(it.document_id)
    return {
        item_id(topic, document["_id"]): document
        for topic, ids in by_topic.items()
        async for document in database[COLLECTIONS[topic]].find({"_id": {"$in": ids}}, _KEY_FIELDS)
        if _has_keys(COLLECTIONS[topic], document)
    }


def _has_keys(collection: str, document: Document) -> bool:
    """Return whether the keys of a document can be read; a report, where they can't."""
    names = ("keys", FORMER_KEYS)
    return (
        readable(collection, document, lambda it: [optional(it, name, list) for name in names])
        is not None
    )


def log_skipped(record: Record, reason: str) -> None:
    """Log and count a record without effect; *reason* repeats nothing of its content."""
    metrics.UNREADABLE.labels(record.topic).inc()
    log().warning(
        REFERENCE_PASSED_OVER,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        first_offset=record.first_offset,
        reason=reason,
    )
