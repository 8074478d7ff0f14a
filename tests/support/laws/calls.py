"""
What the caller was told, against what is in the log. Pure.

A record may stand in the log twice: a client that no longer waited for an answer has left what was
under way, and begins anew. It is one command all the same; that it is applied once, other laws say.
"""

from __future__ import annotations

from collections.abc import Iterator

from support.builders.bodies import Json
from support.laws.evidence import Evidence, Finding, grouped
from support.laws.records import Record
from support.load.journal import MARK, Call
from support.model.log_reader import GATEWAY
from support.stack.topics import COMMANDS


def what_kafka_acknowledged_is_in_the_log(evidence: Evidence) -> Iterator[Finding]:
    """A publication that was acknowledged is there as it was sent, at its place."""
    records = [it for found in evidence.history.records.values() for it in found]
    marked = grouped(records, lambda it: it.header(MARK) or "")
    for sent in evidence.history.publications:
        found = [it for it in marked.get(sent.mark, ()) if it.topic == sent.topic]
        places = [(it.partition, it.offset) for it in found]
        whole = all((it.key, it.value) == (sent.key, sent.value) for it in found)
        if (sent.place is not None and sent.place not in places) or not whole:
            order_id = (sent.key or b"").decode(errors="replace")
            yield Finding(f"acknowledged at {sent.place}, found at {places}", order_id)


def what_was_accepted_is_in_the_log(evidence: Evidence) -> Iterator[Finding]:
    """A job id that was given out is that of one command of the gateway, of this kind and order."""
    ours = [
        it for it in evidence.history.records.get(COMMANDS, ()) if it.header("ce_source") == GATEWAY
    ]
    by_job = grouped(ours, lambda it: it.header("ce_id") or "")
    for call in evidence.history.calls:
        for order_id, job_id in accepted(call):
            found = by_job.get(job_id, [])
            asked = [it for it in found if it.header("ce_type") == f"{call.kind}.v1"]
            if not found or found != asked or {it.name for it in asked} != {order_id}:
                places = [it.place for it in found]
                yield Finding(f"answered {call.status}, found at {places}", order_id, job_id)


def what_was_refused_is_not_in_the_log(evidence: Evidence) -> Iterator[Finding]:
    for call in evidence.history.calls:
        for order_id, answer in answers(call):
            found = _from(evidence, call, order_id)
            if is_refusal(answer) and found:
                places = [it.place for it in found]
                yield Finding(f"answered {answer.get('status')}, found at {places}", order_id)


def what_got_no_answer_is_one_command_at_most(evidence: Evidence) -> Iterator[Finding]:
    """Also what was accepted: one call never makes two commands of one order."""
    for call in evidence.history.calls:
        for order_id in call.order_ids:
            found = _from(evidence, call, order_id)
            if len({it.header("ce_id") for it in found}) > 1:
                yield Finding(f"one call is at {[it.place for it in found]}", order_id)


def answers(call: Call) -> Iterator[tuple[str, Json]]:
    """Give the answer for each order of the call, with its `status`."""
    if "rows" in call.answer:
        for row in call.answer["rows"]:
            if row.get("orderId") is not None:
                codes = [error["code"] for error in row.get("errors") or ()]
                yield row["orderId"], row | {"code": codes[0] if codes else None}
    elif call.status is not None:
        for order_id in call.order_ids:
            # A job has a `status` of its own, in words.
            yield order_id, call.answer | {"status": call.status}


def accepted(call: Call) -> Iterator[tuple[str, str]]:
    """Give orderId and job id of each command that was accepted, waited for or not."""
    for order_id, answer in answers(call):
        if answer["status"] in {200, 202}:
            yield order_id, answer["jobId"]
        elif "job" in answer:
            yield order_id, answer["job"]["jobId"]


def is_refusal(answer: Json) -> bool:
    """Whether the answer says that there is no command: refused at the door, or not accepted."""
    if answer["status"] in {200, 202} or "job" in answer:
        return False
    return answer["status"] < 500 or answer.get("code") == "NotAccepted"


def _from(evidence: Evidence, call: Call, order_id: str) -> list[Record]:
    return [it for it in evidence.commands.get(call.trace, ()) if it.name == order_id]
