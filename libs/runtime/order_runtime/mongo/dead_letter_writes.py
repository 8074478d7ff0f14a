"""The writes of dead letters' documents: of all letters of a batch in one round trip."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo import UpdateMany, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from order_runtime.documents.dead_letters import Update, earlier_replayed, kept_once
from order_runtime.mongo.client import DEAD_LETTERS, Document

LetterWrite = UpdateOne | UpdateMany


def letter_writes(letters: Sequence[Document]) -> list[LetterWrite]:
    """
    Return the writes of *letters*, in their order, for an ordered bulk write.

    Repeating them changes nothing. A letter whose record is repeated by one of them, and which is
    still open, was replayed.
    """
    kept = [UpdateOne(*kept_once(it), upsert=True) for it in letters]
    return [*kept, *(UpdateMany(*earlier_replayed(it)) for it in letters if "chain" in it)]


async def record_letters(
    database: AsyncDatabase[Document], letters: Sequence[Document], *updates: Update
) -> None:
    """Write *letters*, and move those that *updates* select, in one round trip."""
    writes = [*letter_writes(letters), *(UpdateMany(*it) for it in updates)]
    if writes:
        await database[DEAD_LETTERS].bulk_write(writes)
