"""Contacts, articles and stores: from their topics to their collections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from pymongo import ReplaceOne, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from enricher import metrics
from enricher.adapters import bulk_writes
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.rules import article_key, store_key
from order_contracts import topics
from order_contracts.decoding import Invalid, read_announced
from order_contracts.errors import FieldError
from order_contracts.reference import Article, Contact, Store
from order_runtime.documents.erasures import ERASURE_RETENTION, id_key
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import ARTICLES, CONTACTS, STORES, Document
from order_runtime.process.logs import log

FORMER: Final = "formerKeys"
_LOOKED_AT: Final = {"keys": 1, FORMER: 1, "position": 1}


@dataclass(frozen=True, slots=True)
class ReferenceKind:
    """One kind of reference data: where it is kept, and its document without its position."""

    collection: str
    document: Callable[[bytes, ContactKeys], Document]
    key: Callable[[str], str] | None = None
    """The key that orders wait for, of an id; None: its documents hold the keys themselves."""


@dataclass(frozen=True, slots=True)
class DeletedContact:
    """A contact that was deleted, and by which keys it was known."""

    contact_id: str
    keys: frozenset[str]
    at: datetime


@dataclass(frozen=True, slots=True)
class StoredReferences:
    """What records of one topic came to."""

    keys: list[str]
    """Those that came or went: what waits for one of them is to be looked at again."""
    changed: list[Document]
    """Which contacts have keys that they had before, each by its document's id and position."""
    gone: list[DeletedContact]
    """The contacts whose deletion is the last that is known of them."""


def _contact(raw: bytes, keys: ContactKeys) -> Document:
    contact = read_announced(Contact, raw)
    return {
        "_id": keys.hashed(id_key(contact.contact_id)),
        "contactId": contact.contact_id,
        "keys": list(keys.of(contact)),
        "contactType": contact.contact_type,
        "language": contact.language,
    }


def _article(raw: bytes, _: ContactKeys) -> Document:
    article = read_announced(Article, raw)
    return {"_id": article.sku, "articleNumber": article.article_number, "name": article.name}


def _store(raw: bytes, _: ContactKeys) -> Document:
    store = read_announced(Store, raw)
    return {"_id": store.external_store_id, "name": store.name}


REFERENCE_KINDS: Final[Mapping[str, ReferenceKind]] = MappingProxyType(
    {
        topics.CONTACTS.name: ReferenceKind(CONTACTS, _contact),
        topics.ARTICLES.name: ReferenceKind(ARTICLES, _article, article_key),
        topics.STORES.name: ReferenceKind(STORES, _store, store_key),
    }
)


def reference_document(record: Record, keys: ContactKeys, topic_id: str) -> Document:
    """
    Return the document that *record* makes; raises Invalid.

    A deletion leaves a document too, so that an older record can't bring back what was deleted.
    A contact's is known by a keyed hash, lest it say who was deleted.
    """
    try:
        key = (record.key or b"").decode()
    except UnicodeDecodeError:
        raise _wrong("The key must be UTF-8 text") from None
    if not key:
        raise _wrong("The key is missing")
    place = {"topic": topic_id, "partition": record.partition, "offset": record.offset}
    position = {"at": record.at, **place}
    kind = REFERENCE_KINDS[record.topic]
    identity = keys.hashed(id_key(key)) if kind.key is None else key
    if record.value is None:
        expiry = {"expireAt": record.at + ERASURE_RETENTION} if kind.key is None else {}
        return {"_id": identity, "deletedAt": record.at, "position": position, **expiry}
    found = kind.document(record.value, keys)
    if found.get("contactId", found["_id"]) != key:
        raise _wrong("The key must be the id in the value")
    kept = {name: value for name, value in found.items() if value is not None}
    return {**kept, "position": position}


def newer_reference(document: Document, *, keyed: bool) -> ReplaceOne[Document] | UpdateOne:
    """
    Return the write of *document*, unless its topic gave a newer one.

    Where it did, the upsert ends in a duplicate key: to be passed over. The keys that a contact
    had are kept until what waited for one of them was looked at again.
    """
    position = document["position"]
    log = {f"position.{name}": position[name] for name in ("topic", "partition")}
    older: list[Document] = [
        {**log, "position.offset": {"$lt": position["offset"]}},
        # A topic that was made anew begins again at offset 0. Within one log the broker's time
        # tells nothing: it goes back where the clocks of two leaders differ.
        {"$nor": [log], "position.at": {"$lt": position["at"]}},
    ]
    where = {"_id": document["_id"], "$or": older}
    if not keyed:
        return ReplaceOne(where, document, upsert=True)
    had: list[Document] = [{"$ifNull": [name, []]} for name in ("$keys", f"${FORMER}")]
    whole = {"$mergeObjects": [{"$literal": document}, {FORMER: {"$setUnion": had}}]}
    return UpdateOne(where, [{"$replaceWith": whole}], upsert=True)


async def store_references(
    database: AsyncDatabase[Document], records: Sequence[Record], keys: ContactKeys, topic_id: str
) -> StoredReferences:
    """Write *records*, all of one topic; what can't be read is logged and passed over."""
    latest: dict[str, Document] = {}
    deleted: dict[str, str] = {}
    for record in records:
        try:
            document = reference_document(record, keys, topic_id)
        except Invalid as error:
            _passed_over(record, error)
        else:
            latest[document["_id"]] = document
            if record.value is None and record.key is not None:
                deleted[document["_id"]] = record.key.decode()
    kind = REFERENCE_KINDS[records[0].topic]
    writes = [newer_reference(it, keyed=kind.key is None) for it in latest.values()]
    await bulk_writes.bulk_write(database[kind.collection], writes)
    metrics.REFERENCES.labels(records[0].topic).inc(len(records))
    where = {"_id": {"$in": list(latest)}}
    found = [it async for it in database[kind.collection].find(where, _LOOKED_AT)]
    # Not those that are newer than what was read here: whoever wrote them has yet to look.
    changed = [
        it for it in found if it.get(FORMER) and it["position"] == latest[it["_id"]]["position"]
    ]
    return StoredReferences(
        keys=list({key for it in found for key in changed_keys(kind, it)}),
        changed=[{"_id": it["_id"], "position": it["position"]} for it in changed],
        gone=await _gone(database, deleted if kind.key is None else {}),
    )


async def _gone(
    database: AsyncDatabase[Document], deleted: Mapping[str, str]
) -> list[DeletedContact]:
    """Return those that are deleted still: one that came again was erased before it came."""
    where = {"_id": {"$in": list(deleted)}, "deletedAt": {"$exists": True}}
    return [
        DeletedContact(
            contact_id=deleted[it["_id"]],
            keys=frozenset([id_key(deleted[it["_id"]]), *it.get(FORMER, ())]),
            at=it["deletedAt"],
        )
        async for it in database[CONTACTS].find(where)
    ]


def changed_keys(kind: ReferenceKind, document: Document) -> set[str]:
    """Return the keys, old and new, of what is kept in *document*."""
    own = () if kind.key is None else (kind.key(document["_id"]),)
    return {*own, *document.get("keys", ()), *document.get(FORMER, ())}


async def forget_former(database: AsyncDatabase[Document], changed: Sequence[Document]) -> None:
    """
    Forget the keys that these contacts had before: what waited for them was looked at.

    Unless they changed since: whoever wrote that has yet to look, and needs them.
    """
    for some in bulk_writes.portions(changed, bulk_writes.MAX_WRITTEN):
        await database[CONTACTS].update_many({"$or": some}, {"$unset": {FORMER: ""}})


async def ensure_indexes(database: AsyncDatabase[Document]) -> None:
    await database[CONTACTS].create_index("expireAt", expireAfterSeconds=0)
    await database[CONTACTS].create_index("keys", sparse=True)  # deleted ones have none
    for kind in REFERENCE_KINDS.values():
        await database[kind.collection].create_index("deletedAt", sparse=True)


def _wrong(message: str) -> Invalid:
    return Invalid((FieldError(pointer="", code="Malformed", message=message),))


def _passed_over(record: Record, error: Invalid) -> None:
    metrics.UNREADABLE.labels(record.topic).inc()
    log().warning(
        "reference record passed over",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=str(error),
    )
