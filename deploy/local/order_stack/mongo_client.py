"""Questions to a MongoDB server."""

from __future__ import annotations

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


def is_primary(uri: str) -> bool:
    try:
        with connect(uri) as client:
            return bool(client.admin.command("hello").get("isWritablePrimary"))
    except PyMongoError:
        return False
