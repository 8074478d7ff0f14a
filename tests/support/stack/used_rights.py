"""Which rights each user has made use of: by Kafka's authorizer log, and by MongoDB's profiler."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient

from order_operations.system_address import DEFAULT_DATABASE
from order_runtime.access.rights import KafkaRight, MongoRight

AUTHORIZER_LOG: Final = {
    "JAVA_TOOL_OPTIONS": "-Dorg.slf4j.simpleLogger.log.kafka.authorizer.logger=debug"
}
"""What a broker is started with, so that it logs what it allows."""
_ALLOWED: Final = re.compile(
    r"Principal = User:(\S+) is Allowed operation = (\w+) .* on resource = (\w+):LITERAL:(\S+) "
)
_OPERATIONS: Final = {
    "query": "find",
    "getmore": "find",
    "insert": "insert",
    "update": "update",
    "remove": "remove",
}
_COMMANDS: Final = {
    "aggregate": "find",
    "count": "find",
    "distinct": "find",
    "listIndexes": "listIndexes",
    "findAndModify": "update",
}
_PROFILE_BYTES: Final = 512 * 1024 * 1024

UsedOnKafka = Mapping[str, frozenset[KafkaRight]]
UsedOnMongo = Mapping[str, frozenset[MongoRight]]


def used_on_kafka(log: Path) -> dict[str, set[KafkaRight]]:
    """Return, by user, what a broker that was started with AUTHORIZER_LOG has allowed."""
    found: dict[str, set[KafkaRight]] = {}
    for user, operation, resource, name in _ALLOWED.findall(log.read_text(errors="replace")):
        found.setdefault(user, set()).add(KafkaRight(resource.upper(), name, operation))
    return found


@contextmanager
def profiled(mongo: str) -> Iterator[None]:
    """Have MongoDB note each operation on the database, until the block ends."""
    with MongoClient[dict[str, Any]](mongo) as client:
        database = client[DEFAULT_DATABASE]
        database.command({"profile": 0})
        database.drop_collection("system.profile")
        database.create_collection("system.profile", capped=True, size=_PROFILE_BYTES)
        database.command({"profile": 2})
        try:
            yield
        finally:
            database.command({"profile": 0})


def used_on_mongo(mongo: str) -> dict[str, set[MongoRight]]:
    """Return, by user, the actions that the operations took which were noted."""
    found: dict[str, set[MongoRight]] = {}
    shown = {"op": 1, "ns": 1, "user": 1, "command": 1}
    with MongoClient[dict[str, Any]](mongo) as client:
        for entry in client[DEFAULT_DATABASE]["system.profile"].find({}, shown):
            user, collection = entry["user"].partition("@")[0], entry["ns"].partition(".")[2]
            rights = (MongoRight(collection, it) for it in _actions(entry))
            found.setdefault(user, set()).update(rights)
    return found


def _actions(entry: Mapping[str, Any]) -> Iterator[str]:
    command = entry.get("command", {})
    if entry["op"] == "command":
        yield from (action for name, action in _COMMANDS.items() if name in command)
    elif entry["op"] in _OPERATIONS:
        yield _OPERATIONS[entry["op"]]
        if entry["op"] == "update" and command.get("upsert"):
            yield "insert"
