"""The laws of dead letters, against the log. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from support.builders.raw_records import COMMANDS_TOPIC
from support.history.log_record import Headers, LogRecord
from support.laws.evidence import Evidence, Finding

DLQ_PREFIX = "__connect.errors."
ACTION_LETTERS = "orders.actions.dlq"
LETTER_STATES = {"open", "replayed", "settled", "dropped"}
LETTER_FIELDS = {
    *("_id", "topic", "partition", "offset", "attempt", "chain", "code", "service"),
    *("orderId", "jobId", "source", "client", "at", "state", "expireAt"),
}


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


def every_dead_letter_has_a_document_that_says_nothing_of_its_value(
    evidence: Evidence,
) -> Iterator[Finding]:
    """
    Of what failed before a restore, nothing may fail again: then it has none. Nor need one have it
    that a process of the release before may have published, which had no documents (ADR 39).
    """
    for topic, found in evidence.history.records.items():
        if not topic.endswith(".dlq") or (evidence.restored and topic == ACTION_LETTERS):
            continue
        for dead_letter in found:
            identity = document_id(dead_letter)
            document = evidence.letters.get(identity)
            if document is None and dead_letter.at < evidence.upgraded_at * 1_000:
                continue
            if document is None:
                yield Finding(f"no document of the letter {identity}", dead_letter.name)
            elif document.keys() - LETTER_FIELDS or document.get("state") not in LETTER_STATES:
                yield Finding(f"the document {identity} is another one's", dead_letter.name)


def document_id(dead_letter: LogRecord) -> str:
    attempt = dead_letter.header("orders-attempt")
    return f"{origin(dead_letter).replace('@', '/')}/{attempt}"


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
