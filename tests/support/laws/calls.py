"""
Laws of calls and publications: their responses against the log. Pure.

A record may be in the log twice, when a producer was replaced while records were in flight. That
is still one command; other laws check that it is applied once.
"""

from __future__ import annotations

from collections.abc import Iterator

from support.builders.raw_records import COMMANDS_TOPIC
from support.history.journal import (
    PUBLICATION_ID_HEADER,
    RecordedCall,
    accepted_commands,
    is_refusal,
    responses_by_order,
)
from support.history.log_record import LogRecord
from support.laws.evidence import Evidence, Finding, group_by
from support.model.log_reader import GATEWAY_SOURCE


def what_kafka_acknowledged_is_in_the_log(evidence: Evidence) -> Iterator[Finding]:
    """An acknowledged publication is in the log unchanged, at the acknowledged offset."""
    records = [it for found in evidence.history.records.values() for it in found]
    marked = group_by(records, lambda it: it.header(PUBLICATION_ID_HEADER) or "")
    for sent in evidence.history.publications:
        found = [it for it in marked.get(sent.publication_id, ()) if it.topic == sent.topic]
        places = [(it.partition, it.offset) for it in found]
        whole = all((it.key, it.value) == (sent.key, sent.value) for it in found)
        if (sent.partition_offset is not None and sent.partition_offset not in places) or not whole:
            order_id = (sent.key or b"").decode(errors="replace")
            yield Finding(f"acknowledged at {sent.partition_offset}, found at {places}", order_id)


def what_was_accepted_is_in_the_log(evidence: Evidence) -> Iterator[Finding]:
    """A returned job id belongs to commands of the gateway, all of this type and order."""
    ours = [
        it
        for it in evidence.history.records.get(COMMANDS_TOPIC, ())
        if it.header("ce_source") == GATEWAY_SOURCE
    ]
    by_job = group_by(ours, lambda it: it.header("ce_id") or "")
    for call in evidence.history.calls:
        for order_id, job_id in accepted_commands(call):
            found = by_job.get(job_id, [])
            of_kind = [it for it in found if it.header("ce_type") == f"{call.kind}.v1"]
            if not found or found != of_kind or {it.name for it in of_kind} != {order_id}:
                places = [it.position for it in found]
                yield Finding(f"answered {call.status}, found at {places}", order_id, job_id)


def what_was_refused_is_not_in_the_log(evidence: Evidence) -> Iterator[Finding]:
    for call in evidence.history.calls:
        for order_id, response in responses_by_order(call):
            found = _from(evidence, call, order_id)
            if is_refusal(response) and found:
                places = [it.position for it in found]
                yield Finding(f"answered {response.get('status')}, found at {places}", order_id)


def what_got_no_answer_is_one_command_at_most(evidence: Evidence) -> Iterator[Finding]:
    """One call, accepted or not, never makes two commands of one order."""
    for call in evidence.history.calls:
        for order_id in call.order_ids:
            found = _from(evidence, call, order_id)
            if len({it.header("ce_id") for it in found}) > 1:
                yield Finding(f"one call is at {[it.position for it in found]}", order_id)


def _from(evidence: Evidence, call: RecordedCall, order_id: str) -> list[LogRecord]:
    return [it for it in evidence.gateway_records.get(call.trace, ()) if it.name == order_id]
