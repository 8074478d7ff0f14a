"""Questions to a MongoDB server."""

from __future__ import annotations

from collections.abc import Mapping

from pymongo import MongoClient
from pymongo.errors import PyMongoError

PATIENCE = 2.0  # seconds


def connect(uri: str, seconds: float = PATIENCE) -> MongoClient[dict[str, object]]:
    """Return a client that gives up after *seconds*; it connects when it is first used."""
    patience = int(seconds * 1000)
    return MongoClient(
        uri,
        serverSelectionTimeoutMS=patience,
        connectTimeoutMS=patience,
        socketTimeoutMS=patience,
    )


def is_member(uri: str) -> bool:
    """Tell whether that member of a replica set takes writes, or follows one that does."""
    try:
        with connect(uri) as client:
            return serves(client.admin.command("hello"))
    except PyMongoError:
        return False


def serves(hello: Mapping[str, object]) -> bool:
    """Tell it from the member's own words; one that is just being elected doesn't yet."""
    follows = hello.get("secondary") and hello.get("primary") not in (None, hello.get("me"))
    return bool(hello.get("isWritablePrimary") or follows)
