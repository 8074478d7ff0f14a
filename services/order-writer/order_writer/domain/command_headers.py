"""The headers of a command, beyond its id: its type, its preconditions, its options. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from order_contracts.cloudevents import (
    SUPPRESS,
    UNGUARDED,
    UNTRIMMED_KEY,
    BadHeaders,
    DeleteGuard,
    command_type,
)
from order_contracts.commands import COMMANDS, Command, DeleteOrder

_GUARDS: Final = ("ce_registration", "ce_contactsince")
_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_MAX_KEY: Final = 255  # characters of an Idempotency-Key


def known_type(headers: Mapping[str, str]) -> str:
    """Return the command's type; raises BadHeaders where this release has none of that name."""
    kind = command_type(headers)
    if kind in COMMANDS:
        return kind
    name = kind.partition(".")[0]
    versions = [known for known in COMMANDS if known.partition(".")[0] == name]
    if versions:
        raise BadHeaders(
            f"The header ce_type names a version that is not read here: send {versions[-1]}"
        )
    raise BadHeaders("The header ce_type names no command of this system")


def suppresses_actions(headers: Mapping[str, str]) -> bool:
    """
    Return whether the command's action must not be triggered.

    Raises BadHeaders for any other value: a misspelt one would send mails during an import.
    """
    actions = headers.get("ce_actions")
    if actions not in {None, SUPPRESS}:
        raise BadHeaders(f"The header ce_actions must be {SUPPRESS}, or be absent")
    return actions is not None


def delete_guard(headers: Mapping[str, str], command: Command) -> DeleteGuard:
    """
    Return which registration and contact a deletion is limited to.

    Raises BadHeaders where another command has such a header: ignoring it would change an order
    that the sender wanted to leave alone.
    """
    named = [name for name in _GUARDS if name in headers]
    if not named:
        return UNGUARDED
    if not isinstance(command, DeleteOrder):
        raise BadHeaders(f"The header {named[0]} is for DeleteOrder alone")
    since = headers.get("ce_contactsince")
    if since is not None and not _VERSION.fullmatch(since):
        raise BadHeaders("The header ce_contactsince must be a version, such as 3")
    return DeleteGuard(headers.get("ce_registration"), None if since is None else int(since))


def idempotency_keys(headers: Mapping[str, str]) -> tuple[str, ...]:
    """
    Return the keys that the command claims, its Idempotency-Key last; none where it has none.

    Raises BadHeaders for the length of a key.
    """
    found = [
        (name, headers[name]) for name in (UNTRIMMED_KEY, "ce_idempotencykey") if name in headers
    ]
    for name, key in found:
        if not 0 < len(key) <= _MAX_KEY:
            raise BadHeaders(f"The header {name} must have 1 to {_MAX_KEY} characters")
    return tuple(key for _, key in found)
