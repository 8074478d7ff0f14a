"""The database as text, to compare it before and after a reset of all groups to offset 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from bson import json_util
from pymongo import MongoClient

from support.builders.bodies import Json
from support.history.collector import RECORDED_COLLECTIONS
from support.stack.running_stack import RunningStack


def dump_documents(documents: Mapping[str, Iterable[Json]]) -> str:
    """Return all documents as sorted lines: equal databases have equal dumps."""
    lines = (
        f"{collection} {json_util.dumps(document, sort_keys=True)}"
        for collection, found in documents.items()
        for document in found
    )
    return "\n".join(sorted(lines))


def differing_lines(before: str, after: str) -> list[str]:
    """Return the lines that only one dump has, with - for *before* and + for *after*."""
    first, second = set(before.splitlines()), set(after.splitlines())
    return [*(f"- {it}" for it in first - second), *(f"+ {it}" for it in second - first)]


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def database_dump(stack: RunningStack) -> str:
    """Return the dump of all collections; a replay from offset 0 must not change it."""
    with MongoClient[Json](stack.mongo) as client:
        database = client[stack.database]
        return dump_documents({name: list(database[name].find()) for name in RECORDED_COLLECTIONS})
