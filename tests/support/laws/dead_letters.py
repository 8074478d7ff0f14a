"""The dead letters against the log. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from support.history.log_record import COMMANDS_TOPIC, LogRecord
from support.laws.evidence import Evidence, Finding

DLQ_PREFIX = "__connect.errors."


def what_is_no_command_is_a_dead_letter_and_nothing_else(evidence: Evidence) -> Iterator[Finding]:
    """As it came, with the reason and the origin; a failed delivery's action is one too."""
    letters: dict[str, list[LogRecord]] = {}
    for topic, found in evidence.history.records.items():
        if topic.endswith(".dlq"):
            for letter in found:
                letters.setdefault(origin(letter), []).append(letter)
    for item, job in evidence.replay.jobs_by_record:
        here = letters.pop(item.record.position, [])
        if (item.command is None) != bool(here):
            yield Finding(
                f"{len(here)} letters for {item.record.position}", job.order_id, job.job_id
            )
        if any(not is_faithful_copy(letter, item.record) for letter in here):
            yield Finding(f"a letter differs from {item.record.position}", job.order_id, job.job_id)
    failed = {
        f"orders.actions/{it['partition']}@{it['offset']}"
        for it in evidence.deliveries.values()
        if it["state"] == "failed"
    }
    for place in letters.keys() - failed:
        yield Finding(f"a dead letter of {place}", letters[place][0].name)


def origin(letter: LogRecord) -> str:
    where = [letter.header(DLQ_PREFIX + name) for name in ("topic", "partition", "offset")]
    return f"{where[0]}/{where[1]}@{where[2]}"


def is_faithful_copy(letter: LogRecord, record: LogRecord) -> bool:
    reasons = (letter.header(DLQ_PREFIX + "exception.class.name"), letter.header(DLQ_REASON))
    kept = tuple(it for it in letter.headers if not it[0].startswith(DLQ_PREFIX))
    sent = tuple(it for it in record.headers if not it[0].startswith(DLQ_PREFIX))
    same = (letter.key, letter.value, kept) == (record.key, record.value, sent)
    return same and letter.topic == f"{COMMANDS_TOPIC}.dlq" and all(reasons)


DLQ_REASON = DLQ_PREFIX + "exception.message"
