"""
Databases for tests, with the indexes that a service needs, made as operators make them.

mongod keeps the files of a dropped database open for five minutes. Hundreds of tests that make one
each and drop it can take all file descriptors, which ends mongod: a test's database is emptied for
the next test instead.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from pymongo.database import Database

from order_operations.migrations.schema import Schema, migrate
from order_runtime.mongo.client import Document, client
from order_runtime.mongo.collections import COLLECTIONS, collections_of
from support.builders.bodies import unique

MOST_DOCUMENTS: Final = 1_000
"""A database with more is dropped, which is quicker than to delete them."""
_KNOWN: Final = frozenset(it.name for it in COLLECTIONS)

_Kind = tuple[str, str, bool]
_emptied: Final[defaultdict[_Kind, list[str]]] = defaultdict(list)


def migrate_database(mongo: str, database: str, service: str) -> None:
    """Give *database* the indexes of all collections that *service* uses."""
    with client(mongo, "test") as connected:
        schema = Schema(collections_of(service), migrations=())
        migrate(connected[database], lambda _: None, drop_retired=True, schema=schema)


@contextmanager
def lent_database(mongo: str, service: str, *, expires: bool = True) -> Iterator[str]:
    """
    Lend an empty database that *service* can use, and give its name.

    Without *expires* MongoDB removes no document for its age, as builders' times are long past.
    """
    kind = (mongo, service, expires)
    name = _take(kind)
    try:
        yield name
    finally:
        _give_back(kind, name)


@asynccontextmanager
async def lent_database_async(
    mongo: str, service: str, *, expires: bool = True
) -> AsyncIterator[str]:
    """Do what `lent_database` does, for a test that must not block its event loop."""
    kind = (mongo, service, expires)
    name = await asyncio.to_thread(_take, kind)
    try:
        yield name
    finally:
        await asyncio.to_thread(_give_back, kind, name)


def _take(kind: _Kind) -> str:
    if _emptied[kind]:
        return _emptied[kind].pop()
    mongo, service, expires = kind
    name = unique(service)
    migrate_database(mongo, name, service)
    if not expires:
        with client(mongo, "test") as connected:
            _keep_documents(connected[name], service)
    return name


def _keep_documents(database: Database[Document], service: str) -> None:
    for collection in collections_of(service):
        for index in collection.indexes:
            if index.ttl_seconds is not None:
                database[collection.name].drop_index(index.name)


def _give_back(kind: _Kind, name: str) -> None:
    with client(kind[0], "test") as connected:
        if _empty(connected[name]):
            _emptied[kind].append(name)
        else:
            connected.drop_database(name)


def _empty(database: Database[Document]) -> bool:
    """Remove all documents and remembered query plans; return False where dropping is better."""
    found = database.list_collection_names()
    count = sum(database[name].estimated_document_count() for name in found)
    if count > MOST_DOCUMENTS or not _KNOWN.issuperset(found):
        return False
    for name in found:
        database[name].delete_many({})
        database.command("planCacheClear", name)
    return True
