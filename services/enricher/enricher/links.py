"""Links: which contact an order belongs to, and what it lacks; written by the enricher alone."""

from __future__ import annotations

from collections.abc import Iterable

from pymongo import DeleteOne, ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection

from enricher.decision import Link
from order_contracts.decoding import at_rest
from order_contracts.events import Missing
from order_runtime.mongo import Document


def link_document(link: Link) -> Document:
    document: Document = {
        "_id": link.order_id,
        "contactVersion": link.contact_version,
        "contactId": link.contact_id,
        "registeredAt": link.registered_at,
        "missing": [missing.model_dump() for missing in link.missing],
    }
    # Left out where nothing is missing: the index on it is sparse.
    return document | ({"waitsFor": list(link.waits_for)} if link.waits_for else {})


def link_of(document: Document) -> Link:
    return Link(
        order_id=document["_id"],
        contact_version=document["contactVersion"],
        contact_id=document["contactId"],
        registered_at=document["registeredAt"],
        missing=tuple(at_rest(Missing, missing) for missing in document["missing"]),
        waits_for=tuple(document.get("waitsFor", ())),
    )


def newer(link: Link) -> ReplaceOne[Document]:
    """
    Return the write of *link*, which never overwrites a link of a later version.

    Where there is one, the upsert ends in a duplicate key: to be passed over.
    """
    older = {"_id": link.order_id, "contactVersion": {"$lt": link.contact_version}}
    return ReplaceOne(older, link_document(link), upsert=True)


def gone(order_id: str, version: int) -> DeleteOne:
    """Return the removal of the order's link, unless it is of a life after *version*."""
    return DeleteOne({"_id": order_id, "contactVersion": {"$lte": version}})


async def links_of(links: AsyncCollection[Document], order_ids: Iterable[str]) -> dict[str, Link]:
    """Return the links that exist, by orderId."""
    found = links.find({"_id": {"$in": list(order_ids)}})
    return {document["_id"]: link_of(document) async for document in found}


async def ensure_indexes(links: AsyncCollection[Document]) -> None:
    await links.create_index([("contactId", 1), ("registeredAt", -1), ("_id", -1)])
    await links.create_index("waitsFor", sparse=True)
