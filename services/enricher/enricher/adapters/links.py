"""Links at rest: the contact of each order and what it lacks; written by the enricher alone."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from datetime import datetime

from pymongo import DeleteOne, InsertOne, ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection

from enricher.adapters import bulk_writes
from enricher.domain.healing import Cursor
from enricher.domain.model import ContactLink, OrderLifetime
from order_contracts.decoding import at_rest
from order_contracts.events import Missing
from order_runtime.documents.document import field, optional, stored
from order_runtime.mongo.client import LINKS, Document
from order_runtime.mongo.collections import WAITING, WAITS_FOR


def link_document(link: ContactLink) -> Document:
    document: Document = {
        "_id": link.order_id,
        "jobId": link.job_id,
        "contactVersion": link.contact_version,
        "contactId": link.contact_id,
        "registeredAt": link.registered_at,
        "missing": [missing.model_dump() for missing in link.missing],
    }
    if link.withheld_until is not None:
        document["withheldUntil"] = link.withheld_until
    if link.named_articles is not None:
        document["namedArticles"] = link.named_articles
    if link.traceparent is not None and link.waits_for:
        document["traceparent"] = link.traceparent
    # Left out where nothing is missing: the index on it is sparse.
    return document | ({"waitsFor": list(link.waits_for)} if link.waits_for else {})


def link_of(document: Document) -> ContactLink:
    return ContactLink(
        order_id=field(document, "_id", str),
        job_id=field(document, "jobId", str),
        contact_version=field(document, "contactVersion", int),
        contact_id=optional(document, "contactId", str),
        registered_at=field(document, "registeredAt", datetime),
        missing=tuple(at_rest(Missing, it) for it in field(document, "missing", list)),
        waits_for=tuple(optional(document, "waitsFor", list) or ()),
        named_articles=optional(document, "namedArticles", int),
        withheld_until=optional(document, "withheldUntil", datetime),
        traceparent=optional(document, "traceparent", str),
    )


async def write_new_links(
    links: AsyncCollection[Document], new: Iterable[ContactLink], linked: Container[str]
) -> None:
    """
    Write *new* links, none of which overwrites a link of a later version.

    The orders in *linked* had a link when the batch was loaded. The first link of the others is
    inserted, which costs a fifth of an upsert; one that meets another worker's is compared with it.
    """
    documents = [link_document(it) for it in new]
    newer = [_newer_link_write(it) for it in documents]
    writes = [
        write if it["_id"] in linked else InsertOne(it)
        for it, write in zip(documents, newer, strict=True)
    ]
    await bulk_writes.bulk_write(links, writes, if_met=newer)


def _newer_link_write(link: Document) -> ReplaceOne[Document]:
    """
    Return the replacement of an older link by *link*, or its insertion.

    Where there is a later one, the upsert ends in a duplicate key, to be ignored.
    """
    older = {"_id": link["_id"], "contactVersion": {"$lt": link["contactVersion"]}}
    return ReplaceOne(older, link, upsert=True)


def healed_link_write(old: ContactLink, healed: ContactLink) -> ReplaceOne[Document]:
    """Return the replacement of *old*; it matches nothing if the stored link has changed."""
    return ReplaceOne(_unchanged(old), link_document(healed))


def orphaned_link_write(old: ContactLink) -> DeleteOne:
    """Return the removal of a deleted order's link; it matches nothing if that has changed."""
    return DeleteOne(_unchanged(old))


def _unchanged(old: ContactLink) -> Document:
    waits_for = list(old.waits_for) if old.waits_for else {"$exists": False}
    return {
        "_id": old.order_id,
        "contactVersion": old.contact_version,
        "contactId": old.contact_id,
        "waitsFor": waits_for,
    }


def erased_link_write(lifetime: OrderLifetime) -> DeleteOne:
    """
    Return the removal of the link of an erased contact's order.

    A link for another contact, or of a later registration, has a higher version, and stays.
    """
    up_to = {"$lte": lifetime.contact_version}
    return DeleteOne({"_id": lifetime.order_id, "contactVersion": up_to})


async def waiting_for(
    links: AsyncCollection[Document], keys: Collection[str], limit: int
) -> list[str]:
    """Return orders that wait for any of these keys: all, where fewer than *limit* are returned."""
    where = {"waitsFor": {"$in": sorted(keys)}}
    waiting = links.find(where, {"_id": 1}, limit=limit, hint=WAITS_FOR.name)
    return [document["_id"] async for document in waiting]


async def waited_for(
    links: AsyncCollection[Document], keys: Collection[str], limit: int
) -> set[str]:
    """Return those of *keys* that any of up to *limit* orders wait for."""
    waiting = links.find(
        {"waitsFor": {"$in": sorted(keys)}}, {"waitsFor": 1}, limit=limit, hint=WAITS_FOR.name
    )
    return {key async for it in waiting for key in it["waitsFor"]}.intersection(keys)


async def waiting_for_after(
    links: AsyncCollection[Document], keys: Collection[str], order_id: str, limit: int
) -> list[str]:
    """Return the first of the orders after *order_id* that wait for any of these keys, by id."""
    where = {"waitsFor": {"$in": sorted(keys)}, "_id": {"$gt": order_id}}
    waiting = links.find(where, {"_id": 1}, sort={"_id": 1}, limit=limit, hint=WAITS_FOR.name)
    return [document["_id"] async for document in waiting]


async def linked_to(
    links: AsyncCollection[Document],
    contact_id: str,
    latest: datetime,
    after: Cursor | None,
    limit: int,
) -> list[Cursor]:
    """
    Return orders that are linked to this contact, the latest first.

    Those that were registered up to *latest*, and follow *after*.
    """
    where: Document = {"contactId": contact_id, "registeredAt": {"$lte": latest}}
    if after is not None:
        earlier = [{"registeredAt": {"$lt": after.registered_at}}, {"_id": {"$lt": after.order_id}}]
        where |= {"registeredAt": {"$lte": after.registered_at}, "$or": earlier}
    latest_first = {"registeredAt": -1, "_id": -1}
    found = links.find(where, {"registeredAt": 1}, sort=latest_first, limit=limit)
    return [Cursor(it["_id"], it.get("registeredAt")) async for it in found]


async def links_after(
    links: AsyncCollection[Document], order_id: str, limit: int
) -> list[tuple[str, str]]:
    """Return the linked orders that follow *order_id*, each as (cursor, orderId)."""
    found = links.find({"_id": {"$gt": order_id}}, {"_id": 1}).sort("_id").limit(limit)
    return [(document["_id"], document["_id"]) async for document in found]


async def waiting_after(
    links: AsyncCollection[Document], job_id: str, limit: int
) -> list[tuple[str, str]]:
    """Return the waiting orders that follow *job_id*, the job of a link: (cursor, orderId)."""
    where = {**(WAITING.partial or {}), "jobId": {"$gt": job_id}}
    found = links.find(where, {"jobId": 1}, hint=WAITING.name).sort("jobId").limit(limit)
    return [(document["jobId"], document["_id"]) async for document in found]


async def links_of(
    links: AsyncCollection[Document], order_ids: Iterable[str]
) -> dict[str, ContactLink]:
    """Return the links of these orders, by orderId; raises UnreadableStored."""
    found = links.find({"_id": {"$in": list(order_ids)}})
    return {document["_id"]: stored(LINKS, document, link_of) async for document in found}
