"""The rights on MongoDB of the `orders` command: as an operator, and as the migrator."""

from __future__ import annotations

from typing import Final

from order_contracts.topics import MIGRATOR, OPERATOR
from order_runtime.access.mongo_rights import (
    FIND,
    LIST_INDEXES,
    UPDATE,
    MongoRights,
    on_collections,
    reads_and_writes,
)
from order_runtime.access.rights import WHOLE_DATABASE
from order_runtime.mongo.collections import COLLECTIONS, MIGRATIONS

DB_STATS: Final = "dbStats"
VIEW_ROLE: Final = "viewRole"
CHANGE_INDEXES: Final = ("createIndex", "dropIndex", "collMod")


def operator() -> MongoRights:
    """
    Return those of the `orders` command.

    `orders privacy` searches all collections; `orders doctor` compares all indexes and roles, and
    sees how full the database's disk is.
    """
    everything = on_collections((it.name for it in COLLECTIONS), FIND)
    return (
        reads_and_writes(OPERATOR)
        | everything
        | on_collections((it.name for it in COLLECTIONS), LIST_INDEXES)
        | on_collections([WHOLE_DATABASE], "listCollections", DB_STATS, VIEW_ROLE)
    )


def migrator() -> MongoRights:
    """Return those to make indexes, for which documents are counted, and to change documents."""
    indexed = [it.name for it in COLLECTIONS if it.indexes or it.retired]
    return (
        reads_and_writes(MIGRATOR)
        | on_collections((it.name for it in COLLECTIONS), LIST_INDEXES)
        | on_collections(indexed, FIND, *CHANGE_INDEXES)
        | on_collections((it.collection for it in MIGRATIONS), FIND, UPDATE)
    )
