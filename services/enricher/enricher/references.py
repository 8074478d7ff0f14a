"""Contacts, articles and stores: from their topics to their collections, and the look-up."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pymongo import ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from enricher import bulk, metrics
from enricher.decision import Facts
from enricher.matching import KnownContact, contact_keys
from order_contracts import topics
from order_contracts.decoding import Invalid, read_announced
from order_contracts.errors import FieldError
from order_contracts.reference import Article, Contact, Store
from order_runtime.logs import log
from order_runtime.mongo import ARTICLES, CONTACTS, STORES, Document
from order_runtime.records import Record


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of reference data: where it is kept, and its document without its position."""

    collection: str
    document: Callable[[bytes], Document]


def _contact(raw: bytes) -> Document:
    contact = read_announced(Contact, raw)
    return {
        "_id": contact.contact_id,
        "keys": list(contact_keys(contact)),
        "contactType": contact.contact_type,
        "language": contact.language,
    }


def _article(raw: bytes) -> Document:
    article = read_announced(Article, raw)
    return {"_id": article.sku, "articleNumber": article.article_number, "name": article.name}


def _store(raw: bytes) -> Document:
    store = read_announced(Store, raw)
    return {"_id": store.external_store_id, "name": store.name}


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        topics.CONTACTS.name: Kind(CONTACTS, _contact),
        topics.ARTICLES.name: Kind(ARTICLES, _article),
        topics.STORES.name: Kind(STORES, _store),
    }
)


def reference_document(record: Record) -> Document:
    """
    Return the document that *record* makes; raises Invalid.

    A deletion leaves a document too, so that an older record can't bring back what was deleted.
    """
    try:
        key = (record.key or b"").decode()
    except UnicodeDecodeError:
        raise _wrong("The key must be UTF-8 text") from None
    if not key:
        raise _wrong("The key is missing")
    position = {"at": record.at, "partition": record.partition, "offset": record.offset}
    if record.value is None:
        return {"_id": key, "deletedAt": record.at, "position": position}
    found = KINDS[record.topic].document(record.value)
    if found["_id"] != key:
        raise _wrong("The key must be the id in the value")
    kept = {name: value for name, value in found.items() if value is not None}
    return {**kept, "position": position}


def newer(document: Document) -> ReplaceOne[Document]:
    """
    Return the write of *document*, unless its topic gave a newer one.

    Where it did, the upsert ends in a duplicate key: to be passed over.
    """
    position = document["position"]
    # By the broker's time first: a topic that was made anew begins again at offset 0.
    older = [
        {"position.at": {"$lt": position["at"]}},
        {"position.at": position["at"], "position.offset": {"$lt": position["offset"]}},
    ]
    return ReplaceOne({"_id": document["_id"], "$or": older}, document, upsert=True)


async def keep(database: AsyncDatabase[Document], records: Sequence[Record]) -> None:
    """Write *records*, all of one topic; what can't be read is logged and passed over."""
    latest: dict[str, Document] = {}
    for record in records:
        try:
            document = reference_document(record)
        except Invalid as error:
            _passed_over(record, error)
        else:
            latest[document["_id"]] = document
    if records:
        collection = database[KINDS[records[0].topic].collection]
        await bulk.write(collection, [newer(document) for document in latest.values()])
        metrics.REFERENCES.labels(records[0].topic).inc(len(records))


async def facts(
    database: AsyncDatabase[Document],
    contacts: Collection[str],
    articles: Collection[str],
    stores: Collection[str],
) -> Facts:
    """Return what is known of these contact keys, skus and store ids."""
    found = await asyncio.gather(
        _candidates(database[CONTACTS], contacts),
        _existing(database[ARTICLES], articles),
        _existing(database[STORES], stores),
    )
    return Facts(*found)


async def ensure_indexes(database: AsyncDatabase[Document]) -> None:
    await database[CONTACTS].create_index("keys", sparse=True)  # deleted ones have none


async def _candidates(
    contacts: AsyncCollection[Document], keys: Collection[str]
) -> dict[str, list[KnownContact]]:
    wanted = set(keys)
    found: dict[str, list[KnownContact]] = defaultdict(list)
    for portion in bulk.portions(list(wanted)):
        async for document in contacts.find({"keys": {"$in": portion}}, {"position": 0}):
            known = KnownContact(
                document["_id"], document.get("contactType"), document.get("language")
            )
            for key in wanted.intersection(document["keys"]):
                if known not in found[key]:
                    found[key].append(known)
    return found


async def _existing(collection: AsyncCollection[Document], ids: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for portion in bulk.portions(list(ids)):
        living: dict[str, Any] = {"_id": {"$in": portion}, "deletedAt": {"$exists": False}}
        found.update([document["_id"] async for document in collection.find(living, {"_id": 1})])
    return frozenset(found)


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
