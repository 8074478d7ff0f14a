"""Merges of contacts at rest: one document a merged contact, `_id` the hash of its id key."""

from __future__ import annotations

from collections.abc import Collection

from pymongo.asynchronous.collection import AsyncCollection

from order_runtime.documents.document import Document, field, optional, stored
from order_runtime.documents.merges import MAX_HOPS, MergePointer, Survivor, survivor_of
from order_runtime.mongo.client import MERGES
from order_runtime.mongo.portions import portions


async def find_survivors(
    merges: AsyncCollection[Document], hashes: Collection[str]
) -> dict[str, Survivor]:
    """
    Return the contact that each of these counts as; those that were never merged are left out.

    One query for each hop of the longest chain, and one only where none was merged. Raises
    UnreadableStored.
    """
    pointers: dict[str, MergePointer] = {}
    frontier = set(hashes)
    for _ in range(MAX_HOPS + 1):
        found = await find_pointers(merges, frontier)
        pointers |= found
        frontier = {it.into for it in found.values()} - pointers.keys()
        if not frontier:
            break
    survivors = {it: survivor_of(it, pointers) for it in hashes}
    return {it: found for it, found in survivors.items() if found is not None and found.hash != it}


async def find_pointers(
    merges: AsyncCollection[Document], hashes: Collection[str]
) -> dict[str, MergePointer]:
    """Return whom each of these was merged into; raises UnreadableStored."""
    found: dict[str, MergePointer] = {}
    for some in portions(sorted(hashes)):
        async for it in merges.find({"_id": {"$in": some}}):
            found[it["_id"]] = stored(MERGES, it, _pointer_of)
    return found


async def find_merged(
    merges: AsyncCollection[Document], hashes: Collection[str]
) -> dict[str, str | None]:
    """Return all that were merged into one of these, over any others, with the id where known."""
    merged: dict[str, str | None] = {}
    frontier = set(hashes)
    for _ in range(MAX_HOPS):
        found: dict[str, str | None] = {}
        for some in portions(sorted(frontier)):
            async for it in merges.find({"into": {"$in": some}}, {"ownId": 1}):
                found[it["_id"]] = stored(MERGES, it, _own_id_of)
        frontier = found.keys() - merged.keys() - set(hashes)
        merged |= {it: found[it] for it in frontier}
        if not frontier:
            break
    return merged


async def forget_ids(merges: AsyncCollection[Document], hashes: Collection[str]) -> None:
    """Remove the ids of contacts that have a tombstone from the pointers of and to them."""
    if hashes:
        named = {"$in": sorted(hashes)}
        await merges.update_many({"_id": named}, {"$unset": {"ownId": ""}})
        await merges.update_many({"into": named}, {"$unset": {"intoId": ""}})


def _own_id_of(document: Document) -> str | None:
    return optional(document, "ownId", str)


def _pointer_of(document: Document) -> MergePointer:
    return MergePointer(
        field(document, "into", str),
        optional(document, "intoId", str),
        optional(document, "ownId", str),
    )
