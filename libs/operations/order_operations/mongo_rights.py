"""The rights on MongoDB of each workload, from who writes and who reads each collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from order_contracts.topics import ENRICHER, MIGRATOR, OPERATOR, WRITER
from order_operations.access_rights import WHOLE_DATABASE, MongoRight
from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    AGREEMENTS,
    ENDPOINTS,
    HEALING,
    IDEMPOTENCY,
    JOBS,
    LINKS,
    MIGRATION_STATE,
    UNFINISHED_JOBS,
)
from order_runtime.mongo.collections import COLLECTIONS, MIGRATIONS, collections_of

FIND: Final = "find"
INSERT: Final = "insert"
UPDATE: Final = "update"
REMOVE: Final = "remove"
LIST_INDEXES: Final = "listIndexes"
CHANGE_INDEXES: Final = ("createIndex", "dropIndex", "collMod")

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
        (OPERATOR, ENDPOINTS): (UPDATE,),
        (MIGRATOR, MIGRATION_STATE): (*_UPSERTS, REMOVE),
    }
)
"""What a writer does that doesn't both insert and update, or that deletes as well."""

Rights = frozenset[MongoRight]


def service(name: str) -> Rights:
    """Return the rights of a service, which looks for the indexes of all collections it uses."""
    uses = (it.name for it in collections_of(name))
    return _reads_and_writes(name) | _on(uses, LIST_INDEXES)


def operator() -> Rights:
    """Return those of the `orders` command: `orders privacy` searches all collections."""
    everything = _on((it.name for it in COLLECTIONS), FIND)
    return _reads_and_writes(OPERATOR) | everything | _on([WHOLE_DATABASE], "listCollections")


def migrator() -> Rights:
    """Return those to make indexes, for which documents are counted, and to change documents."""
    indexed = [it.name for it in COLLECTIONS if it.indexes or it.retired]
    return (
        _reads_and_writes(MIGRATOR)
        | _on((it.name for it in COLLECTIONS), LIST_INDEXES)
        | _on(indexed, FIND, *CHANGE_INDEXES)
        | _on((it.collection for it in MIGRATIONS), FIND, UPDATE)
    )


def _reads_and_writes(name: str) -> Rights:
    reads = _on((it.name for it in COLLECTIONS if name in it.readers), FIND)
    writes = (
        _on([it.name], *_WRITES.get((name, it.name), _UPSERTS))
        for it in COLLECTIONS
        if name in it.writers
    )
    return reads.union(*writes)


def _on(collections: Iterable[str], *actions: str) -> Rights:
    return frozenset(MongoRight(it, action) for it in collections for action in actions)
