"""Whether MongoDB answers, which of its servers do, and whether it is what is needed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from order_operations.connections.mongo_client import uri_errors_as_sentences
from order_operations.connections.system_address import MongoAddress
from order_operations.diagnosis.facts import Access, Backend, Member
from order_runtime.mongo.client import CODEC, Document
from order_runtime.startup.requirements import MongoServer, server_violations

ACCESS_SECONDS: Final = 3.5
ANSWER_SECONDS: Final = 5.0
MEMBER_SECONDS: Final = 2.0  # in which a server of the replica set answers
POLL_SECONDS: Final = 0.05
_LOGIN_REFUSED: Final = frozenset({13, 18, 8000})  # Unauthorized, AuthenticationFailed, AtlasError


@dataclass(frozen=True, slots=True)
class Server:
    """MongoDB as it answers: whether, when by its clock, which servers, and what is wrong."""

    backend: Backend
    members: tuple[Member, ...] = ()
    at: datetime | None = None
    skew: timedelta = timedelta()
    """This client's clock minus its."""
    faults: tuple[str, ...] = ()


@contextmanager
def connected(address: MongoAddress) -> Iterator[Database[Document]]:
    """Yield the database; nothing in it is waited for beyond ANSWER_SECONDS."""
    with uri_errors_as_sentences():
        client: MongoClient[Document] = MongoClient(
            address.uri,
            appname="orders doctor",
            serverSelectionTimeoutMS=int(ACCESS_SECONDS * 1_000),
            connectTimeoutMS=int(MEMBER_SECONDS * 1_000),
            socketTimeoutMS=int(ANSWER_SECONDS * 1_000),
        )
    with client:
        yield client.get_database(address.database, codec_options=CODEC)


def reach(database: Database[Document]) -> Server:
    """Return whether MongoDB answers, within ACCESS_SECONDS, and which of its servers do."""
    client = database.client
    try:
        hello, now = client.admin.command("hello"), datetime.now(UTC)
        client.admin.command("connectionStatus")  # a login is only tried with a command
    except PyMongoError as error:
        return _refused(client, error)
    faults = tuple(server_violations(MongoServer(hello, None)))
    at = hello["localTime"].replace(tzinfo=UTC)
    return Server(Backend(address=_servers(client)), _members(client), at, now - at, faults)


def _refused(client: MongoClient[Document], error: PyMongoError) -> Server:
    if isinstance(error, OperationFailure) and error.code in _LOGIN_REFUSED:
        return Server(Backend(Access.REFUSES, _servers(client), "it refuses the login"))
    found = client.topology_description.server_descriptions().values()
    if any("SSL" in str(it.error) or "certificate" in str(it.error) for it in found):
        return Server(Backend(Access.REFUSES, _servers(client), "TLS doesn't come about"))
    return Server(Backend(Access.AWAY, _servers(client)), _members(client))


def _servers(client: MongoClient[Document]) -> str:
    """Return the servers of the client, without its login."""
    return ", ".join(sorted(f"{host}:{port}" for host, port in _described(client)))


def _described(client: MongoClient[Document]) -> dict[tuple[str, int | None], Any]:
    return dict(client.topology_description.server_descriptions())


def _members(client: MongoClient[Document]) -> tuple[Member, ...]:
    """Return the servers of the replica set, once each has answered or had its time for it."""
    deadline = time.monotonic() + MEMBER_SECONDS
    while time.monotonic() < deadline:
        found = _described(client).values()
        if all(it.server_type_name != "Unknown" or it.error is not None for it in found):
            break
        time.sleep(POLL_SECONDS)
    return tuple(
        Member(f"{host}:{port}", it.server_type_name != "Unknown")
        for (host, port), it in sorted(_described(client).items())
    )
