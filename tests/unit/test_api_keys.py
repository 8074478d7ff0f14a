"""API keys: known by their hash, revoked without a restart."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from order_runtime.auth.api_keys import DEFAULT_RATE, SCOPES, KeyFile

READ = frozenset({"orders:read"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def keys(path: Path) -> KeyFile:
    return KeyFile(path)


def test_a_key_is_found_with_its_scopes(keys: KeyFile) -> None:
    found = keys.find(keys.new("shop", SCOPES))
    assert found is not None
    assert (found.name, found.scopes, found.rate) == ("shop", SCOPES, DEFAULT_RATE)


def test_several_keys_are_valid_at_once(keys: KeyFile) -> None:
    """Rotation: the new one is handed out before the old one is revoked."""
    old, new = keys.new("shop", SCOPES), keys.new("shop", SCOPES, rate=None)
    assert keys.find(old)
    assert keys.find(new)


def test_the_file_holds_no_key_and_is_its_owners_alone(keys: KeyFile, path: Path) -> None:
    secret = keys.new("shop", SCOPES).partition(".")[2]
    assert secret not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_draft_is_left_behind(keys: KeyFile, path: Path) -> None:
    keys.new("shop", SCOPES)
    assert set(path.parent.iterdir()) == {path, path.with_suffix(".lock")}


@pytest.mark.parametrize(
    "wrong", ["", ".", "a.b", "{id}", "{id}.", "{id}.{id}", "{key}x", " {key}"]
)
def test_anything_but_the_key_is_unknown(keys: KeyFile, wrong: str) -> None:
    key = keys.new("shop", SCOPES)
    given = wrong.replace("{key}", key).replace("{id}", key.partition(".")[0])
    assert keys.find(given) is None


def test_a_revoked_key_is_unknown_to_a_gateway_that_runs(keys: KeyFile, path: Path) -> None:
    """The command line writes the file; the gateway sees that it changed."""
    gateway, key, other = KeyFile(path), keys.new("shop", SCOPES), keys.new("app", SCOPES)
    assert gateway.find(key)
    assert keys.revoke(key.partition(".")[0])
    assert gateway.find(key) is None
    assert gateway.find(other)


def test_a_new_key_is_known_to_a_gateway_that_runs(keys: KeyFile, path: Path) -> None:
    gateway = KeyFile(path)
    keys.new("shop", SCOPES)
    assert gateway.find("nobody.at-all") is None
    assert gateway.find(keys.new("app", SCOPES))


def test_a_file_is_not_read_again_unless_it_changed(keys: KeyFile, path: Path) -> None:
    """It is asked for every request."""
    key = keys.new("shop", SCOPES)
    assert keys.find(key)
    before = path.stat()
    path.write_bytes(b" " * before.st_size)  # unreadable, and not a change by any sign of it
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert keys.find(key)


def test_without_a_file_no_key_is_known(keys: KeyFile, path: Path) -> None:
    """An answer 401, not 500."""
    assert keys.find("a.b") is None
    key = keys.new("shop", SCOPES)
    assert keys.find(key)
    path.unlink()
    assert keys.find(key) is None


def test_a_broken_file_changes_nothing(keys: KeyFile, path: Path) -> None:
    """A slip of an editor must not lock every shop out; who changes keys is told."""
    key = keys.new("shop", SCOPES)
    assert keys.find(key)
    path.write_text("[{}]")
    assert keys.find(key)
    with pytest.raises(ValueError, match="Field required"):
        keys.new("other", SCOPES)


def test_to_revoke_what_is_not_there_says_so(keys: KeyFile) -> None:
    assert not keys.revoke("nobody")


def test_a_key_may_have_less_than_all_scopes(keys: KeyFile) -> None:
    found = keys.find(keys.new("reader", READ))  # type: ignore[arg-type]
    assert found is not None
    assert found.scopes == READ
