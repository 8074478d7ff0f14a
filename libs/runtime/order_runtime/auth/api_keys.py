"""API keys: random secrets, kept as hashes in a file that is read again when it changes."""

from __future__ import annotations

import hmac
import math
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    model_serializer,
    model_validator,
)

from order_runtime.documents.instances import KEYS_FILE_REFUSED
from order_runtime.observability.conditions import CONDITIONS
from order_runtime.process.log_events import KEYS_FILE_NOT_READ
from order_runtime.process.logs import error_fields, log
from order_runtime.process.watched_files import WatchedFiles

Scope = Literal["orders:read", "orders:write", "ops"]
SCOPES: Final[frozenset[Scope]] = frozenset({"orders:read", "orders:write", "ops"})
DEFAULT_RATE: Final = 200  # requests a second, for each key and gateway process
_CLIENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class ClientRefused(ValueError):
    """A name that a new client can't have; says why."""


class ApiKey(BaseModel):
    """
    One key; the key itself is `<id>.<secret>`, of which only the hash is kept.

    Idempotency-Keys are scoped to its client: the name of whoever has the key, which outlives the
    key's rotation. By default it is the id of the client's first key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    hash: str
    scopes: frozenset[Scope]
    rate: int | None
    """Requests a second; None is no limit."""
    created_at: AwareDatetime
    revoked: bool = False
    client: str = Field(default_factory=lambda fields: fields.get("id", ""))

    @model_validator(mode="after")
    def _check_client(self) -> Self:
        if self.client != self.id and not _CLIENT.fullmatch(self.client):
            raise ValueError("a client's name has up to 64 characters of A-Z a-z 0-9 . _ -")
        return self

    @model_serializer(mode="wrap")
    def _without_default_client(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a client that is the key's id, so that an older gateway reads the file too."""
        fields: dict[str, Any] = serialize(self)
        return {name: it for name, it in fields.items() if name != "client" or it != self.id}


def _checked(keys: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
    """Raise ValueError where a client is named as another one's key: a claim could be either's."""
    clients = {key.id: key.client for key in keys}
    if any(clients.get(key.client, key.client) != key.client for key in keys):
        raise ValueError("a client's name is the id of another client's key")
    return keys


_FILE: Final = TypeAdapter(Annotated[tuple[ApiKey, ...], AfterValidator(_checked)])


def key_hash(key: str) -> str:
    """Return the SHA-256 of a key; its 256 random bits need no slow hash."""
    return sha256(key.encode()).hexdigest()


class KeyFile:
    """The keys in a JSON file; `find` may be called for every request."""

    def __init__(self, path: Path, look_seconds: float = 0.0) -> None:
        """
        Take the path of the file, and for how long it is taken to be as it was last seen.

        For an unknown key the file is looked at all the same, so that a new one is known at once.
        """
        self._path, self._look_seconds = path, look_seconds
        self._looked_at = -math.inf
        self._file = WatchedFiles(path)
        self._keys: dict[str, ApiKey] = {}

    def keys(self) -> tuple[ApiKey, ...]:
        """Return all keys, revoked ones too; raises OSError or ValueError for a broken file."""
        return _FILE.validate_json(self._path.read_bytes()) if self._path.exists() else ()

    def find(self, key: str) -> ApiKey | None:
        """Return the key's entry unless it is unknown or revoked; compares in constant time."""
        is_fresh = time.monotonic() - self._looked_at < self._look_seconds
        found = self._valid(key) if is_fresh else None
        if found is None:
            self._refresh()
            found = self._valid(key)
        return found

    def revoked(self, key: str) -> ApiKey | None:
        """Return the entry of a key that was revoked, as of the last `find`; None of any other."""
        known = self._known(key)
        return known if known is not None and known.revoked else None

    def _valid(self, key: str) -> ApiKey | None:
        known = self._known(key)
        return None if known is None or known.revoked else known

    def _known(self, key: str) -> ApiKey | None:
        known = self._keys.get(key.partition(".")[0])
        if known is None:
            return None
        return known if hmac.compare_digest(known.hash, key_hash(key)) else None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Exclude other writers; readers need no lock, since the file is replaced in one step."""
        with self._path.with_suffix(".lock").open("w") as lock:
            flock(lock, LOCK_EX)
            yield

    def new(
        self,
        name: str,
        scopes: frozenset[Scope],
        rate: int | None = DEFAULT_RATE,
        client: str | None = None,
    ) -> str:
        """
        Add a key of a new client and return it; it can't be read again.

        *client* is its name; by default, the key's id. Raises ClientRefused where it is malformed,
        or ever was a client's name or a key's id: Idempotency-Keys of that one would be found.
        """
        if client is not None and not _CLIENT.fullmatch(client):
            raise ClientRefused(
                "A client's name has up to 64 characters of A-Z a-z 0-9 . _ -, no sign first."
            )
        with self._locked():
            keys = self.keys()
            if client in _taken(keys):
                raise ClientRefused(f"There is a client or a key {client} already.")
            key, entry = _made(keys, name, scopes, rate, client)
            self._write([*keys, entry])
        return key

    def rotate(self, key_id: str, *, revoke: bool = False) -> str | None:
        """
        Add a key for the client of another one, with its name, scopes and rate, and return it.

        The old key stays valid, unless it is to *revoke* in the same step. None where it isn't
        there.
        """
        with self._locked():
            keys = self.keys()
            old = next((key for key in keys if key.id == key_id), None)
            if old is None:
                return None
            key, entry = _made(keys, old.name, old.scopes, old.rate, old.client)
            self._write([*(_revoked(keys, key_id) if revoke else keys), entry])
        return key

    def revoke(self, key_id: str) -> bool:
        """Revoke a key; return whether it was there."""
        with self._locked():
            keys = self.keys()
            self._write(_revoked(keys, key_id))
        return any(key.id == key_id for key in keys)

    def _refresh(self) -> None:
        """Read the file again where it changed; a broken one changes nothing, and is logged."""
        self._looked_at = time.monotonic()
        if not self._file.changed():
            return
        try:
            self._keys = {key.id: key for key in self.keys()}
        except (OSError, ValueError) as error:
            log().error(KEYS_FILE_NOT_READ, **error_fields(error))
            CONDITIONS.begins(KEYS_FILE_REFUSED, detail=type(error).__name__)
        else:
            CONDITIONS.ends(KEYS_FILE_REFUSED)

    def _write(self, keys: Iterable[ApiKey]) -> None:
        """Replace the file in one step, readable by its owner alone."""
        draft = self._path.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_FILE.dump_json(tuple(keys), indent=2))
        draft.replace(self._path)


def _made(
    keys: Sequence[ApiKey],
    name: str,
    scopes: frozenset[Scope],
    rate: int | None,
    client: str | None,
) -> tuple[str, ApiKey]:
    """Return a new key with an id that none of *keys* nor their clients have, and its entry."""
    key_id = secrets.token_hex(6)
    while key_id in _taken(keys):
        key_id = secrets.token_hex(6)
    key = f"{key_id}.{secrets.token_urlsafe(32)}"
    return key, ApiKey(
        id=key_id,
        name=name,
        hash=key_hash(key),
        scopes=scopes,
        rate=rate,
        created_at=datetime.now(UTC),
        client=key_id if client is None else client,
    )


def _taken(keys: Iterable[ApiKey]) -> set[str]:
    """Return the names by which Idempotency-Keys may have been claimed, of revoked keys too."""
    return {name for key in keys for name in (key.id, key.client)}


def _revoked(keys: Iterable[ApiKey], key_id: str) -> Iterator[ApiKey]:
    for key in keys:
        yield key.model_copy(update={"revoked": True}) if key.id == key_id else key
