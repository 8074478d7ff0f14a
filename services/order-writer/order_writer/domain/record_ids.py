"""What a record is known by: its sender's id, its position, its bytes and their size. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from order_contracts.cloudevents import BadHeaders, read_headers
from order_contracts.identity import JOB_ID, derived
from order_contracts.topics import COMMANDS
from order_runtime.kafka.dead_letters import REPLAY
from order_runtime.kafka.records import Record


def chosen_id(headers: Mapping[str, str]) -> str | None:
    """Return the id that the sender chose, if any; raises BadHeaders where no link can hold it."""
    job_id = headers.get("ce_id")
    if job_id is not None and not JOB_ID.fullmatch(job_id):
        raise BadHeaders("The header ce_id must have 1 to 255 characters of A-Z a-z 0-9 . _ ~ -")
    return job_id


def readable_id(record: Record) -> str | None:
    """
    Return the sender's id if it can be read: whoever sent it asks for its job by that.

    Whatever is wrong with the other headers.
    """
    try:
        return chosen_id(read_headers(it for it in record.headers if it[0].lower() == "ce_id"))
    except BadHeaders:
        return None


def replayed_id(record: Record) -> str | None:
    """Return what the header `orders-replay` names; read apart, for the others may be broken."""
    said = [value or b"" for name, value in record.headers if name.lower() == REPLAY]
    text = said[0].decode(errors="replace") if len(said) == 1 else ""
    return text if JOB_ID.fullmatch(text) else None


def position_id(record: Record, topic_id: str) -> str:
    at = round(record.at.timestamp() * 1000)
    return derived("record", topic_id, record.partition, record.offset, at)


def bytes_fingerprint(record: Record) -> str:
    """Return the fingerprint of what has no meaning: its bytes, and what the sender said of it."""
    said = sorted(
        (name, value or b"")
        for name, value in record.headers
        if name.lower().startswith("ce_") or name.lower() == "content-type"
    )
    return sha256(repr((said, record.key, record.value)).encode()).hexdigest()


def exceeds_topic_limit(record: Record) -> bool:
    """Return whether it is larger than its topic allows: compressed, so that no broker saw it."""
    headers = sum(len(name.encode()) + len(value or b"") for name, value in record.headers)
    size = len(record.key or b"") + len(record.value or b"") + headers
    return size > COMMANDS.max_message_bytes
