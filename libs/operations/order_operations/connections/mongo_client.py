"""Connections to MongoDB, whose errors become sentences."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pymongo
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from order_operations.connections.system_address import MongoAddress
from order_operations.problems import OperationFailed
from order_runtime.mongo.client import CODEC, Document

SELECTION_SECONDS: Final = 15.0  # to find a server, an election included
RESPONSE_SECONDS: Final = 60.0  # for each answer of a server


@contextmanager
def open_database(
    address: MongoAddress, response_seconds: float | None = RESPONSE_SECONDS
) -> Iterator[Database[Document]]:
    """
    Yield the database, with exact decimals and aware times.

    Raises OperationFailed where MongoDB doesn't answer, or refuses, inside of the block.
    """
    with mongo_errors_as_sentences(), connect(address.uri, response_seconds) as client:
        yield client.get_database(address.database, codec_options=CODEC)


@contextmanager
def bounded_database(address: MongoAddress, seconds: float) -> Iterator[Database[Document]]:
    """Yield the database for a block that may take so long; raises OperationFailed."""
    began = time.monotonic()
    with open_database(address, None) as database, pymongo.timeout(seconds):
        try:
            yield database
        except PyMongoError as error:
            if error.timeout and time.monotonic() - began >= seconds:
                raise OperationFailed(
                    f"MongoDB gave no answer within {seconds:g} s: --since or another filter makes"
                    " it less to read, --timeout waits longer."
                ) from error
            raise


@contextmanager
def mongo_errors_as_sentences() -> Iterator[None]:
    """Turn errors of PyMongo's into OperationFailed, by their kind: their text may hold the URI."""
    try:
        yield
    except PyMongoError as error:
        raise OperationFailed(
            f"MongoDB doesn't answer, or refuses ({type(error).__name__})."
        ) from error


@contextmanager
def uri_errors_as_sentences() -> Iterator[None]:
    """Turn what the constructor of a MongoDB client raises for its URI into OperationFailed."""
    try:
        yield
    except (PyMongoError, ValueError) as error:
        raise OperationFailed(f"The MongoDB URI can't be used ({type(error).__name__}).") from error


def connect(uri: str, response_seconds: float | None) -> MongoClient[dict[str, Any]]:
    """
    Return a client that waits so long for an answer, with None for ever.

    Raises OperationFailed for a bad URI.
    """
    selection = int(min(SELECTION_SECONDS, response_seconds or SELECTION_SECONDS) * 1000)
    with uri_errors_as_sentences():
        return MongoClient(
            uri,
            appname="orders",
            serverSelectionTimeoutMS=selection,
            connectTimeoutMS=selection,
            socketTimeoutMS=None if response_seconds is None else int(response_seconds * 1000),
        )
