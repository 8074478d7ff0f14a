"""What identifies a record: its sender's id, its position, its bytes; and its size. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Final, Protocol

from order_contracts.cloudevents import BadHeaders, read_headers
from order_contracts.decoding import Invalid
from order_contracts.derived_ids import JOB_ID, derived
from order_contracts.structured import attributes, structured_event
from order_contracts.topics import COMMANDS
from order_runtime.documents.senders import Sender, sender, sender_by_headers
from order_runtime.kafka.dead_letters import REPLAY, original_headers
from order_runtime.kafka.records import Record, size_bound, wire_size

_PIECE: Final = 64 * 1024  # bytes


class Hash(Protocol):
    """What is hashed in pieces."""

    def update(self, data: bytes, /) -> None: ...


def sender_id(headers: Mapping[str, str]) -> str | None:
    """Return the id that the sender gave, if any; raises BadHeaders where no URL can hold it."""
    job_id = headers.get("ce_id")
    if job_id is not None and not JOB_ID.fullmatch(job_id):
        raise BadHeaders("The header ce_id must have 1 to 255 characters of A-Z a-z 0-9 . _ ~ -")
    return job_id


def readable_id(record: Record) -> str | None:
    """
    Return the sender's id if it can be read, whatever is wrong with the other headers.

    The sender asks for the job of a refused command under this id.
    """
    try:
        if (event := structured_event(record.headers, record.value)) is not None:
            return sender_id(attributes({"id": event.get("id")}))
        return sender_id(read_headers(it for it in record.headers if it[0].lower() == "ce_id"))
    except (BadHeaders, Invalid):
        return None


def replayed_id(record: Record) -> str | None:
    """
    Return the job that the header `orders-replay` names.

    None where the header is absent, repeated, or holds no job id. It is read apart from the other
    headers, since those of a dead letter may be broken.
    """
    values = [value or b"" for name, value in record.headers if name.lower() == REPLAY]
    text = values[0].decode(errors="replace") if len(values) == 1 else ""
    return text if JOB_ID.fullmatch(text) else None


def position_id(record: Record, topic_id: str) -> str:
    """
    Return the id derived from the record's position.

    The topic's id and the append time are part of it: in a topic that was created anew, offsets
    begin again.
    """
    at = round(record.at.timestamp() * 1000)
    return derived("record", topic_id, record.partition, record.offset, at)


def bytes_fingerprint(record: Record) -> str:
    """
    Return the fingerprint of a record's key, value, CloudEvents headers and content type.

    It is the SHA-256 of their `repr`, which is made in pieces: a value may have many MB.
    """
    headers = sorted(
        (name, value or b"")
        for name, value in record.headers
        if name.lower().startswith("ce_") or name.lower() == "content-type"
    )
    digest = sha256(b"([")
    for at, (name, value) in enumerate(headers):
        digest.update(f"{', ' if at else ''}({name!r}, ".encode())
        _add_repr(digest, value)
        digest.update(b")")
    digest.update(b"], ")
    _add_repr(digest, record.key)
    digest.update(b", ")
    _add_repr(digest, record.value)
    digest.update(b")")
    return digest.hexdigest()


def _add_repr(digest: Hash, value: bytes | None) -> None:
    """Add `repr(value)` to *digest*; the quotes around it depend on those that *value* has."""
    if value is None or len(value) <= _PIECE:
        digest.update(repr(value).encode())
        return
    double = b"'" in value and b'"' not in value
    # A piece that begins with the other quote is quoted as the whole value is.
    quote, other = (b'"', b"'") if double else (b"'", b'"')
    digest.update(b"b" + quote)
    for start in range(0, len(value), _PIECE):
        digest.update(repr(other + value[start : start + _PIECE])[3:-1].encode())
    digest.update(quote)


def readable_sender(record: Record) -> Sender:
    """Return who sent a record that is no valid command, as far as that can be read."""
    try:
        event = structured_event(record.headers, record.value)
    except Invalid:
        event = None
    if event is None:
        return sender_by_headers(record.headers)
    source = event.get("source")
    return sender(source if isinstance(source, str) else None)


def record_size(record: Record) -> int:
    """Return the bytes that a record adds to its batch."""
    return len(record.value or b"")


def exceeds_topic_limit(record: Record) -> bool:
    """
    Return whether the record is larger than its topic's `max.message.bytes`.

    The broker compares the compressed size, so such a record can be in the topic. What a dead
    letter added to it doesn't count: its replay is decided as the record that the sender gave.
    """
    if size_bound(record) <= COMMANDS.max_message_bytes:
        return False
    given = replace(record, headers=original_headers(record.headers))
    return wire_size(given) > COMMANDS.max_message_bytes
