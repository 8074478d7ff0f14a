"""A backup of MongoDB at one point in time, and its restore, as an operator's tools make them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pymongo import MongoClient
from pymongo.database import Database

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
    """Make the documents those of a backup, while no service writes; indexes stay."""
    with _database(stack) as database:
        for name in database.list_collection_names():
            database[name].delete_many({})
            if found := of.get(name):
                database[name].insert_many(found)


@contextmanager
def _database(stack: RunningStack) -> Iterator[Database[Json]]:
    with MongoClient[Json](stack.mongo, tz_aware=True) as client:
        yield client[stack.database]
