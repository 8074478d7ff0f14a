"""
CloudEvents 1.0 in Kafka binary mode: attributes are text headers, the value is plain JSON.

What is read may be in structured mode as well, see `structured`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from order_contracts.frozen import frozen
from order_contracts.times import rfc3339

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/json"
_SPEC_VERSION: Final = ("ce_specversion", SPEC_VERSION.encode())
SUPPRESS: Final = "suppress"
ROUNDED: Final = "ce_rounded"
"""The header by which our gateways tell which numbers of the body they rounded."""
CLIENT: Final = "ce_client"
"""The header by which our gateways tell the API client whose key they took."""
GATEWAY_SIGNATURE: Final = "ce_gatewaysignature"
"""The header by which order-writers know a command of our own gateways; of no use to others."""
UNTRIMMED_KEY: Final = "ce_untrimmedkey"
"""
The header with the Idempotency-Key that an older gateway would have sent for the same request.

Those took whitespace at the ends of the HTTP header for a part of it. A command is claimed under
both keys, so that a retry is recognised whichever gateway takes it. Of no use to other senders.
"""

Headers = tuple[tuple[str, bytes], ...]


class BadHeaders(ValueError):
    """Headers that are not text, are repeated, or name another mode or version."""


@dataclass(frozen=True, slots=True)
class DeleteGuard:
    """Conditions of a DeleteOrder of the enricher: it deletes only the order that meets them."""

    registration: str | None = None
    """The job that registered it."""
    since: int | None = None
    """The version at which it got its contact."""


UNGUARDED: Final = DeleteGuard()
"""Whichever there is."""


@frozen()
class Envelope:
    """The attributes of one message; its Kafka key is the subject, its value the data."""

    id: str
    source: str
    type: str
    time: datetime
    subject: str
    traceparent: str | None = None
    if_match: str | None = None
    idempotency_key: str | None = None
    untrimmed_key: str | None = None
    """The Idempotency-Key as older gateways sent it; see `UNTRIMMED_KEY`."""
    suppress_actions: bool = False
    guard: DeleteGuard = UNGUARDED
    rounded: str | None = None
    """Which numbers the gateway rounded, see `rounding`."""
    client: str | None = None
    """Whose key the gateway took."""

    def headers(self) -> Headers:
        """Return the record's headers, in a stable order."""
        required = (
            _SPEC_VERSION,
            ("ce_id", self.id.encode()),
            ("ce_source", self.source.encode()),
            ("ce_type", self.type.encode()),
            ("ce_time", rfc3339(self.time).encode()),
        )
        optional = (
            ("ce_subject", self.subject or None),  # that of an unreadable record is not known
            ("content-type", CONTENT_TYPE),
            ("traceparent", self.traceparent),
            ("ce_ifmatch", self.if_match),
            ("ce_idempotencykey", self.idempotency_key),
            (UNTRIMMED_KEY, self.untrimmed_key),
            ("ce_actions", SUPPRESS if self.suppress_actions else None),
            ("ce_registration", self.guard.registration),
            (ROUNDED, self.rounded),
            (CLIENT, self.client),
            ("ce_contactsince", None if self.guard.since is None else str(self.guard.since)),
        )
        return (*required, *[(name, text.encode()) for name, text in optional if text is not None])


def read_headers(headers: Iterable[tuple[str, bytes | None]]) -> Mapping[str, str]:
    """
    Return the headers as text by lower-case name.

    Raises BadHeaders where a CloudEvents attribute is repeated or is not UTF-8; foreign headers
    that aren't text are passed over.
    """
    found: dict[str, str] = {}
    for spelt, value in headers:
        name = spelt.lower()
        ours = name.startswith("ce_") or name in {"content-type", "traceparent", "orders-replay"}
        if not ours or value is None:
            continue
        if name in found:
            raise BadHeaders(f"The header {name} is repeated")
        try:
            found[name] = value.decode()
        except UnicodeDecodeError:
            raise BadHeaders(f"The header {name} is not UTF-8 text") from None
    return found


def time_of(headers: Mapping[str, str]) -> datetime | None:
    """Return `ce_time` in UTC; None where it is missing, malformed or without an offset."""
    try:
        time = datetime.fromisoformat(headers.get("ce_time", ""))
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else None


def command_type(headers: Mapping[str, str]) -> str:
    """Return the `ce_type` of a command; raises BadHeaders with what the sender should set."""
    content = headers.get("content-type", CONTENT_TYPE).split(";")[0].strip().lower()
    if content.startswith("application/cloudevents"):
        raise BadHeaders(
            "This content-type is not read here: send CloudEvents in binary mode, or one by one in "
            "structured mode, as application/cloudevents+json"
        )
    if content != CONTENT_TYPE:
        raise BadHeaders("The header content-type must be application/json")
    if headers.get("ce_specversion", SPEC_VERSION) != SPEC_VERSION:
        raise BadHeaders("The header ce_specversion must be 1.0")
    if not headers.get("ce_type"):
        raise BadHeaders("The header ce_type is missing: it names the command")
    return headers["ce_type"]
