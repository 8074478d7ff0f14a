"""Dead letters: the original bytes, with the reason and the origin in Kafka Connect's headers."""

from __future__ import annotations

from typing import Final

from order_runtime.records import Outgoing, Record

PREFIX: Final = "__connect.errors."
MAX_REASON: Final = 4_000  # characters


def dead_letter(record: Record, *, service: str, code: str, reason: str) -> Outgoing:
    """
    Return *record* for the dead-letter topic of the topic it came from.

    *reason* must not repeat what the record holds: a header is read in dashboards.
    """
    why = {
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "connector.name": service,
        "exception.class.name": code,
        "exception.message": reason[:MAX_REASON],
    }
    # A record that was replayed and failed again tells of its last failure only.
    kept = tuple(pair for pair in record.headers if not pair[0].startswith(PREFIX))
    told = tuple((PREFIX + name, text.encode()) for name, text in why.items())
    return Outgoing(f"{record.topic}.dlq", record.key, record.value, kept + told)
