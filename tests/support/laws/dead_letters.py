"""The law of dead letters, against the log. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from support.builders.raw_records import COMMANDS_TOPIC
from support.history.log_record import Headers, LogRecord
from support.laws.evidence import Evidence, Finding

DLQ_PREFIX = "__connect.errors."


def what_is_no_command_is_a_dead_letter_and_nothing_else(evidence: Evidence) -> Iterator[Finding]:
    """Invalid records, and actions that failed, are dead letters, unchanged and with a reason."""
    dead_letters: dict[str, list[LogRecord]] = {}
    for topic, found in evidence.history.records.items():
        if topic.endswith(".dlq"):
            for dead_letter in found:
                dead_letters.setdefault(origin(dead_letter), []).append(dead_letter)
    for item, job in evidence.replay.jobs_by_record:
        copies = dead_letters.pop(item.record.position, [])
        if (item.command is None) != bool(copies):
            yield Finding(
                f"{len(copies)} letters for {item.record.position}", job.order_id, job.job_id
            )
        if any(not is_faithful_copy(dead_letter, item.record) for dead_letter in copies):
            yield Finding(f"a letter differs from {item.record.position}", job.order_id, job.job_id)
    failed = {
        f"orders.actions/{it['partition']}@{it['offset']}"
        for it in evidence.deliveries.values()
        if it["state"] == "failed"
    }
    for position in dead_letters.keys() - failed:
        yield Finding(f"a dead letter of {position}", dead_letters[position][0].name)


def origin(dead_letter: LogRecord) -> str:
    position = [dead_letter.header(DLQ_PREFIX + name) for name in ("topic", "partition", "offset")]
    return f"{position[0]}/{position[1]}@{position[2]}"


def is_faithful_copy(dead_letter: LogRecord, record: LogRecord) -> bool:
    reasons = (
        dead_letter.header(DLQ_PREFIX + "exception.class.name"),
        dead_letter.header(DLQ_REASON),
    )
    kept, sent = _senders_headers(dead_letter), _senders_headers(record)
    same = (dead_letter.key, dead_letter.value, kept) == (record.key, record.value, sent)
    return same and dead_letter.topic == f"{COMMANDS_TOPIC}.dlq" and all(reasons)


def _senders_headers(record: LogRecord) -> Headers:
    added = {"orders-replay", "orders-attempt"}
    return tuple(
        it for it in record.headers if not it[0].startswith(DLQ_PREFIX) and it[0] not in added
    )


DLQ_REASON = DLQ_PREFIX + "exception.message"
