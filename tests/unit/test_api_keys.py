"""API keys: known by their hash, revoked without a restart."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from order_runtime.auth.api_keys import (
    DEFAULT_RATE,
    SCOPES,
    ApiKey,
    ClientRefused,
    KeyFile,
    key_hash,
)
from support.stack.wait import until

READ = frozenset({"orders:read"})
SOON, HOUR = 0.05, 3_600.0  # seconds


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


def test_whose_a_revoked_key_was_is_known_to_who_shows_it_alone(keys: KeyFile, path: Path) -> None:
    """The access log names a client that goes on using its old key; its id alone tells nothing."""
    gateway, key = KeyFile(path), keys.new("shop", SCOPES)
    key_id = key.partition(".")[0]
    assert gateway.find(key)
    assert gateway.revoked(key) is None
    keys.revoke(key_id)
    assert gateway.find(key) is None

    found = gateway.revoked(key)

    assert found is not None
    assert found.id == found.client == key_id
    assert [gateway.revoked(it) for it in ("", key_id, f"{key_id}.", f"{key}x")] == [None] * 4


def test_a_new_key_is_known_to_a_gateway_that_runs(keys: KeyFile, path: Path) -> None:
    gateway = KeyFile(path)
    keys.new("shop", SCOPES)
    assert gateway.find("nobody.at-all") is None
    assert gateway.find(keys.new("app", SCOPES))


def test_a_file_is_not_looked_at_for_every_request(keys: KeyFile, path: Path) -> None:
    """It is taken as it was seen for a while, and a revoked key with it, but no longer."""
    later, soon = KeyFile(path, HOUR), KeyFile(path, SOON)
    key = keys.new("shop", SCOPES)
    assert later.find(key)
    assert soon.find(key)
    keys.revoke(key.partition(".")[0])
    assert later.find(key)
    until(lambda: soon.find(key) is None, seconds=10)


def test_a_new_key_is_known_before_the_file_is_due_to_be_looked_at(
    keys: KeyFile, path: Path
) -> None:
    gateway, key = KeyFile(path, HOUR), keys.new("shop", SCOPES)
    assert gateway.find(key)
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


def entry(keys: KeyFile, key: str) -> ApiKey:
    return next(it for it in keys.keys() if key.startswith(f"{it.id}."))  # noqa: SIM118  no dict


def test_a_clients_name_is_the_id_of_its_first_key(keys: KeyFile) -> None:
    first, other = entry(keys, keys.new("shop", SCOPES)), entry(keys, keys.new("shop", SCOPES))
    assert (first.client, other.client) == (first.id, other.id)


def test_a_rotated_key_belongs_to_the_same_client(keys: KeyFile) -> None:
    """So a retry with the new key finds what the old one did; and so on, however often."""
    old = entry(keys, keys.new("shop", READ, rate=7))  # type: ignore[arg-type]
    secret = keys.rotate(old.id)
    assert secret is not None
    new = keys.find(secret)
    assert new is not None
    assert new.id != old.id
    assert (new.client, new.name, new.scopes, new.rate) == (old.client, "shop", READ, 7)
    again = keys.rotate(new.id)
    assert again is not None
    assert entry(keys, again).client == old.id


def test_the_old_key_stays_valid_until_it_is_revoked(keys: KeyFile) -> None:
    """The client is moved in between, without a moment in which it has no key."""
    old = keys.new("shop", SCOPES)
    new = keys.rotate(old.partition(".")[0])
    assert keys.find(old)
    assert keys.revoke(old.partition(".")[0])
    assert keys.find(old) is None
    assert new is not None
    assert keys.find(new)


def test_a_key_that_leaked_is_rotated_and_revoked_in_one_step(keys: KeyFile) -> None:
    old, other = keys.new("shop", SCOPES), keys.new("app", SCOPES)
    new = keys.rotate(old.partition(".")[0], revoke=True)
    assert new is not None
    assert [keys.find(it) is not None for it in (old, other, new)] == [False, True, True]


def test_the_client_of_a_revoked_key_may_get_a_new_one(keys: KeyFile) -> None:
    """It was revoked in a hurry; what the client did is still its own."""
    old = keys.new("shop", SCOPES).partition(".")[0]
    keys.revoke(old)
    new = keys.rotate(old)
    assert new is not None
    found = keys.find(new)
    assert found is not None
    assert (found.client, found.revoked) == (old, False)


def test_to_rotate_what_is_not_there_makes_no_key(keys: KeyFile) -> None:
    keys.new("shop", SCOPES)
    assert keys.rotate("nobody") is None
    assert len(keys.keys()) == 1


def test_a_client_may_be_given_a_name(keys: KeyFile) -> None:
    first = entry(keys, keys.new("shop", SCOPES, client="web-shop"))
    rotated = keys.rotate(first.id)
    assert rotated is not None
    assert entry(keys, rotated).client == first.client == "web-shop"


@pytest.mark.parametrize("revoked", [True, False])
def test_a_new_clients_name_is_nobody_elses(keys: KeyFile, *, revoked: bool) -> None:
    """
    Neither another client's nor a key's id, from which older claims are: it could read them.
    """
    named = entry(keys, keys.new("shop", SCOPES, client="web-shop"))
    plain = entry(keys, keys.new("app", SCOPES))
    if revoked:
        keys.revoke(named.id)
        keys.revoke(plain.id)
    for taken in ("web-shop", named.id, plain.id):
        with pytest.raises(ClientRefused, match=taken):
            keys.new("other", SCOPES, client=taken)
    assert len(keys.keys()) == 2


@pytest.mark.parametrize("name", ["", "a/b", "-a", ".", "a b", "ä", "a" * 65, "a\n"])
def test_a_clients_name_is_a_plain_word(keys: KeyFile, name: str) -> None:
    """With a slash in it, `a/b` and the key `c` would be the claim of `a` and the key `b/c`."""
    with pytest.raises(ClientRefused, match="up to 64 characters"):
        keys.new("shop", SCOPES, client=name)
    assert keys.keys() == ()


@pytest.mark.parametrize("name", ["a", "A-b_c.9", "a" * 64])
def test_a_plain_word_is_a_clients_name(keys: KeyFile, name: str) -> None:
    assert entry(keys, keys.new("shop", SCOPES, client=name)).client == name


OLD_ENTRY = {
    "id": "8f0c",
    "name": "shop",
    "hash": key_hash("8f0c.secret"),
    "scopes": ["orders:read"],
    "rate": 200,
    "created_at": "2025-11-28T12:00:00Z",
    "revoked": False,
}


def test_a_file_of_an_older_release_is_read_with_each_key_a_client(
    keys: KeyFile, path: Path
) -> None:
    """What such a key has claimed was scoped to its id."""
    path.write_text(json.dumps([OLD_ENTRY]))
    found = keys.find("8f0c.secret")
    assert found is not None
    assert found.client == "8f0c"
    rotated = keys.rotate("8f0c")
    assert rotated is not None
    assert entry(keys, rotated).client == "8f0c"


def test_an_older_release_reads_the_file_until_a_client_has_a_name(
    keys: KeyFile, path: Path
) -> None:
    """It refuses fields that it doesn't know, and would be left with no key after a restart."""
    keys.new("shop", SCOPES)
    keys.revoke("nobody")
    assert [set(it) for it in json.loads(path.read_text())] == [set(OLD_ENTRY)]
    keys.rotate(keys.keys()[0].id)
    assert [it.get("client") for it in json.loads(path.read_text())] == [None, keys.keys()[0].id]


@pytest.mark.parametrize("client", ["8f0c", "a/b", ""])
def test_a_file_in_which_a_client_could_be_taken_for_another_is_broken(
    keys: KeyFile, path: Path, client: str
) -> None:
    """Written by hand: the id of another client's key, or no plain word."""
    key = keys.new("app", SCOPES)
    assert keys.find(key)
    first = OLD_ENTRY | {"client": "shop"}
    second = OLD_ENTRY | {"id": "9a1d", "hash": key_hash("9a1d.secret"), "client": client}
    path.write_text(json.dumps([first, second]))
    assert keys.find("9a1d.secret") is None
    assert keys.find(key), "the keys stay as they were"


def test_keys_of_one_client_may_be_written_by_hand(keys: KeyFile, path: Path) -> None:
    second = OLD_ENTRY | {"id": "9a1d", "hash": key_hash("9a1d.secret"), "client": "8f0c"}
    path.write_text(json.dumps([OLD_ENTRY, second]))
    found = keys.find("9a1d.secret")
    assert found is not None
    assert found.client == "8f0c"
