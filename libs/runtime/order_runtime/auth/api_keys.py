"""API keys: random secrets, kept as hashes in a file that is read again when it changes."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter

from order_runtime.process.log_events import KEYS_FILE_NOT_READ
from order_runtime.process.logs import error_fields, log

Scope = Literal["orders:read", "orders:write", "ops"]
SCOPES: Final[frozenset[Scope]] = frozenset({"orders:read", "orders:write", "ops"})
DEFAULT_RATE: Final = 200  # requests a second, for each key and gateway process


class ApiKey(BaseModel):
    """One key; the key itself is `<id>.<secret>`, of which only the hash is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    hash: str
    scopes: frozenset[Scope]
    rate: int | None
    """Requests a second; None is no limit."""
    created_at: AwareDatetime
    revoked: bool = False


_FILE: Final = TypeAdapter(tuple[ApiKey, ...])


def key_hash(key: str) -> str:
    """Return the SHA-256 of a key; its 256 random bits need no slow hash."""
    return sha256(key.encode()).hexdigest()


class KeyFile:
    """The keys in a JSON file; `find` may be called for every request."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: tuple[int, int, int] | None = None
        self._keys: dict[str, ApiKey] = {}

    def keys(self) -> tuple[ApiKey, ...]:
        """Return all keys, revoked ones too; raises OSError or ValueError for a broken file."""
        return _FILE.validate_json(self._path.read_bytes()) if self._path.exists() else ()

    def find(self, key: str) -> ApiKey | None:
        """Return the key's entry unless it is unknown or revoked; compares in constant time."""
        self._refresh()
        known = self._keys.get(key.partition(".")[0])
        if known is None or known.revoked:
            return None
        return known if hmac.compare_digest(known.hash, key_hash(key)) else None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Exclude other writers; readers need no lock, since the file is replaced in one step."""
        with self._path.with_suffix(".lock").open("w") as lock:
            flock(lock, LOCK_EX)
            yield

    def new(self, name: str, scopes: frozenset[Scope], rate: int | None = DEFAULT_RATE) -> str:
        """Add a key and return it; it can't be read again."""
        key_id = secrets.token_hex(6)
        key = f"{key_id}.{secrets.token_urlsafe(32)}"
        entry = ApiKey(
            id=key_id,
            name=name,
            hash=key_hash(key),
            scopes=scopes,
            rate=rate,
            created_at=datetime.now(UTC),
        )
        with self._locked():
            self._write([*self.keys(), entry])
        return key

    def revoke(self, key_id: str) -> bool:
        """Revoke a key; return whether it was there."""
        with self._locked():
            keys = self.keys()
            self._write(
                key.model_copy(update={"revoked": True}) if key.id == key_id else key
                for key in keys
            )
        return any(key.id == key_id for key in keys)

    def _refresh(self) -> None:
        """Read the file again where it changed; a broken one changes nothing, and is logged."""
        stat = self._path.stat() if self._path.exists() else None
        seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size) if stat else None
        if seen == self._read_at:
            return
        self._read_at = seen
        try:
            self._keys = {key.id: key for key in self.keys()}
        except (OSError, ValueError) as error:
            log().error(KEYS_FILE_NOT_READ, **error_fields(error))

    def _write(self, keys: Iterable[ApiKey]) -> None:
        """Replace the file in one step, readable by its owner alone."""
        draft = self._path.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_FILE.dump_json(tuple(keys), indent=2))
        draft.replace(self._path)
