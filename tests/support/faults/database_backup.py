"""A backup of MongoDB at one point in time, and its restore, as an operator's tools make them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from support.builders.bodies import Json
from support.stack.running_stack import RunningStack

Backup = Mapping[str, list[Json]]
"""The documents of each collection."""


def backup(stack: RunningStack) -> Backup:
    """Return all documents as they are at one point in time, also while services write."""
    with _database(stack) as database:
        names = database.list_collection_names()
        with database.client.start_session(snapshot=True) as session:
            return {name: database[name].find(session=session).to_list() for name in names}


def restore(stack: RunningStack, of: Backup) -> None:
    """Make the documents those of a backup, for every reader at once; indexes stay."""
    with _database(stack) as database, database.client.start_session() as session:
        names = database.list_collection_names()
        session.with_transaction(
            lambda session: _replace(database, {name: of.get(name, []) for name in names}, session),
            ReadConcern("snapshot"),
            WriteConcern("majority"),
        )


def _replace(database: Database[Json], documents: Backup, session: ClientSession) -> None:
    for name, found in documents.items():
        database[name].delete_many({}, session=session)
        if found:
            database[name].insert_many(found, session=session)


@contextmanager
def _database(stack: RunningStack) -> Iterator[Database[Json]]:
    with MongoClient[Json](stack.mongo, tz_aware=True) as client:
        yield client[stack.database]
