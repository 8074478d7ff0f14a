"""The rights of each service on MongoDB, from who writes and who reads each collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from order_contracts.topics import ENRICHER, MIGRATOR, OPERATOR, WRITER
from order_runtime.access.rights import MongoRight
from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    AGREEMENTS,
    CONSUMER_PAUSES,
    DEAD_LETTERS,
    ENDPOINTS,
    HEALING,
    IDEMPOTENCY,
    JOBS,
    LINKS,
    MIGRATION_STATE,
    UNFINISHED_JOBS,
)
from order_runtime.mongo.collections import COLLECTIONS, collections_of

FIND: Final = "find"
INSERT: Final = "insert"
UPDATE: Final = "update"
REMOVE: Final = "remove"
LIST_INDEXES: Final = "listIndexes"

_UPSERTS: Final = (INSERT, UPDATE)  # as writers do unless they are named here
_WRITES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = MappingProxyType(
    {
        (WRITER, IDEMPOTENCY): (INSERT,),
        (ENRICHER, AGREEMENTS): (INSERT,),
        (ENRICHER, JOBS): (UPDATE,),
        (ENRICHER, ACTION_DELIVERIES): (UPDATE,),
        (ENRICHER, LINKS): (*_UPSERTS, REMOVE),
        (ENRICHER, HEALING): (*_UPSERTS, REMOVE),
        (ENRICHER, UNFINISHED_JOBS): (*_UPSERTS, REMOVE),
        (OPERATOR, ACTION_DELIVERIES): (UPDATE,),
        (OPERATOR, CONSUMER_PAUSES): (*_UPSERTS, REMOVE),
        (OPERATOR, DEAD_LETTERS): (UPDATE,),
        (OPERATOR, ENDPOINTS): (UPDATE,),
        (MIGRATOR, MIGRATION_STATE): (*_UPSERTS, REMOVE),
    }
)
"""What a writer does that doesn't both insert and update, or that deletes as well."""

MongoRights = frozenset[MongoRight]


def service_rights(name: str) -> MongoRights:
    """Return the rights of a service, which looks for the indexes of all collections it uses."""
    uses = (it.name for it in collections_of(name))
    return reads_and_writes(name) | on_collections(uses, LIST_INDEXES)


def reads_and_writes(name: str) -> MongoRights:
    """Return what the table of collections says that *name* does with their documents."""
    reads = on_collections((it.name for it in COLLECTIONS if name in it.readers), FIND)
    writes = (
        on_collections([it.name], *_WRITES.get((name, it.name), _UPSERTS))
        for it in COLLECTIONS
        if name in it.writers
    )
    return reads.union(*writes)


def on_collections(collections: Iterable[str], *actions: str) -> MongoRights:
    return frozenset(MongoRight(it, action) for it in collections for action in actions)
