"""
The processes of the services as they report themselves: a document each, written every 5 s.

Whoever looks for what is wrong learns here what only a process can see: which release it is, what
it waits for, which of its files it refused, whose requests it refused. Nothing in it is personal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from order_runtime.documents.document import Document

FORGOTTEN_AFTER: Final = timedelta(days=1)
MAX_TEXT: Final = 500  # characters of a text that isn't ours

# What a process meets that lasts until it is mended.
WEBHOOKS_FILE_REFUSED: Final = "WebhooksFileRefused"
KEYS_FILE_REFUSED: Final = "KeysFileRefused"
CERTIFICATE_REFUSED: Final = "CertificateRefused"
RIGHTS_MISSING: Final = "RightsMissing"
# What happens again and again; its subject is the id of the key, or UNKNOWN_KEY.
KEY_REFUSED: Final = "KeyRefused"
UNKNOWN_KEY: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Identity:
    """What stays the same for as long as a process lives."""

    service: str
    instance: str
    version: str
    host: str
    """The name of the machine, pod or container."""
    health: str
    """host:port where /livez, /readyz and /metrics answer."""
    pid: int
    started_at: datetime

    @property
    def id(self) -> str:
        return f"{self.service}/{self.instance}"


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that a process meets: it lasts, or it happened *count* times."""

    code: str
    subject: str
    """What it is about: a system, a key's id; empty where the code says it."""
    since: datetime
    detail: str = ""
    """A sentence without values."""
    count: int | None = None
    last_at: datetime | None = None
    """The last time, of what is counted."""


@dataclass(frozen=True, slots=True)
class ReportedState:
    """What a process reports of itself at one moment."""

    clock: datetime
    """The process's own; MongoDB's is stored beside it."""
    ready: bool
    waits_for: Mapping[str, datetime] = field(default_factory=dict)
    """The dependencies that don't answer it, and since when."""
    stalled: Sequence[str] = ()
    """Loops that stand still although its dependencies answer."""
    conditions: Sequence[Condition] = ()
    certificates: Mapping[str, datetime] = field(default_factory=dict)
    """When the certificates end that it holds, by name."""
    secrets: Mapping[str, datetime] = field(default_factory=dict)
    """When the files of its secrets were changed last, by name; of those that are files."""


def heartbeat_update(identity: Identity, state: ReportedState) -> list[Document]:
    """Return the update, an upsert, that replaces the document; the time is MongoDB's."""
    document = {
        "_id": identity.id,
        "service": identity.service,
        "instance": identity.instance,
        "version": identity.version,
        "host": identity.host,
        "health": identity.health,
        "pid": identity.pid,
        "startedAt": identity.started_at,
        "clock": state.clock,
        "ready": state.ready,
        "waitsFor": [
            {"dependency": name, "since": since} for name, since in state.waits_for.items()
        ],
        "stalled": list(state.stalled),
        "conditions": [_condition_document(it) for it in state.conditions],
        "certificates": [
            {"certificate": name, "endsAt": at} for name, at in state.certificates.items()
        ],
        "secrets": [{"secret": name, "unchangedSince": at} for name, at in state.secrets.items()],
    }
    now = {"heartbeatAt": "$$NOW"}
    return [{"$replaceWith": {"$mergeObjects": [{"$literal": document}, now]}}]


def end_update(failure: str | None) -> list[Document]:
    """Return the update at the end of a process; *failure* says why, where it wasn't asked to."""
    ended: dict[str, Any] = {"stoppedAt": "$$NOW", "heartbeatAt": "$$NOW", "ready": False}
    if failure is not None:
        ended["failure"] = {"$literal": failure[:MAX_TEXT]}
    return [{"$set": ended}]


def _condition_document(condition: Condition) -> Document:
    fields = {
        "code": condition.code,
        "subject": condition.subject[:MAX_TEXT],
        "since": condition.since,
        "detail": condition.detail[:MAX_TEXT] or None,
        "count": condition.count,
        "lastAt": condition.last_at,
    }
    return {name: value for name, value in fields.items() if value is not None}


def condition_of(document: Document) -> Condition:
    """Return a condition as it was stored."""
    return Condition(
        document["code"],
        document["subject"],
        document["since"],
        document.get("detail", ""),
        document.get("count"),
        document.get("lastAt"),
    )
