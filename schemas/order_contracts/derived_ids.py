"""Ids that are derived from what they stand for, so that a repeat repeats them."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha1, sha256
from typing import Final
from uuid import UUID

NAMESPACE: Final = UUID("6f1c8f0e-2f7b-5d0e-9c55-0d1f6c1b7a10")
_NAMESPACE: Final = NAMESPACE.bytes
JOB_ID: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.~-]{1,255}", re.ASCII)
"""A part of a path as it stands; clients take `.` and `..` out of one, so they are none."""


def derived(*parts: str | int) -> str:
    """Return the UUIDv5 of *parts*; each part is delimited, so that no two lists meet."""
    name = "".join([f"{len(part)}:{part}" for part in map(str, parts)])
    digits = sha1(_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    # As uuid.uuid5 does, at a third of its time: the writer derives several for each command.
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def version_tag(job_id: str) -> str:
    """Return the tag of the version that *job_id* made: base64 of 16 bytes of its SHA-256."""
    return b64encode(sha256(job_id.encode()).digest()[:16]).decode()


def action_id(job_id: str) -> str:
    """Return the id of the action that *job_id* asked for; there is at most one."""
    return derived("action", job_id)


def event_id(job_id: str, event_type: str) -> str:
    return derived("event", job_id, event_type)
