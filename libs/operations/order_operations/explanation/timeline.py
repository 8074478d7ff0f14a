"""Everything that happened to an order or a job, in the order of time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from order_contracts.integration_log import ACTION_DROPPED
from order_contracts.job import Action, Enrichment, Operation
from order_contracts.times import rfc3339
from order_contracts.topics import ENRICHER, GATEWAY, TRIGGER, WRITER
from order_operations.explanation.records import Records
from order_runtime.documents.deliveries import DELIVERED, FAILED, PENDING
from order_runtime.documents.document import Document

MISSING_CONTACT: Final = frozenset({"ContactMissing", "ContactAmbiguous"})
OVER_HTTP: Final = f"/{GATEWAY}"
UNREADABLE: Final = "A command that could not be read"
_SAID_BY_THE_JOB: Final = frozenset({"CommandRejected", "IdReused", "ActionFailed"})
_FOUND: Final[Mapping[str, str]] = {
    Enrichment.DONE: "Checked its contact, articles and store",
    Enrichment.CONTACT_MISSING: "Found no contact for it",
    Enrichment.SUPERSEDED: "Passed it over: the order was replaced or deleted meanwhile",
    Enrichment.SKIPPED: "There was nothing to check",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, in a sentence."""

    at: datetime
    by: str
    """The service that did or found it."""
    what: str
    job_id: str


def timeline(of: Records) -> list[Event]:
    """Return what happened, the oldest first; at the same time a cause before its effect."""
    events = [
        *(_command(it) for it in of.jobs),
        *(it for job in of.jobs for it in _checked(of, job)),
        *(it for entry in of.log for it in _logged(entry)),
        *(it for delivery in of.deliveries.values() for it in _delivery(delivery)),
        *(_set_aside(it) for it in of.letters),
    ]
    return sorted(events, key=lambda it: it.at)


def _command(job: Document) -> Event:
    asked = f"{command_of(job)}{_sender(job)}"
    return Event(job["at"], WRITER, f"{asked} {_outcome(job)}{_wanted(job)}.", job["_id"])


def command_of(job: Document) -> str:
    """Return what a job's command asked for, as a subject."""
    return UNREADABLE if job["operation"] == Operation.UNKNOWN else str(job["operation"])


def _sender(job: Document) -> str:
    source, client = job.get("source"), job.get("client")
    if source is None:
        return ""
    by = f" by {client}" if client else ""
    return f" over HTTP{by}" if source == OVER_HTTP else f" from {source}"


def _outcome(job: Document) -> str:
    failed = job.get("failure")
    if failed:
        why = str(failed["detail"]).rstrip(".")
        first = next(iter(failed.get("errors") or ()), None)
        where = f" ({first['pointer']}: {first['message']})" if first else ""
        return f"was refused: {failed['status']} {failed['code']}, {why}{where}"
    if "aliasOf" in job:
        return f"repeats job {job['aliasOf']}, under the same Idempotency-Key"
    if "version" in job:
        return f"was applied as version {job['version']}"
    return "was accepted, and changed nothing"


def _wanted(job: Document) -> str:
    return f", and asked for {job['action']['action']}" if "action" in job else ""


def _checked(of: Records, job: Document) -> Iterator[Event]:
    """Yield what the enricher found of a job, and what became of an action that waited."""
    found = of.enrichments.get(job["_id"])
    if found is None:
        return
    lacked = any(it["jobId"] == job["_id"] and it["code"] in MISSING_CONTACT for it in of.log)
    action = _action(of, job, found)
    if lacked and not action:
        return  # the entry of the log says it, with the time when it was found
    said = action if lacked else f"{_FOUND[found['state']]}{'; ' if action else ''}{action}"
    yield Event(found["at"], ENRICHER, f"{said[0].upper()}{said[1:]}.", job["_id"])


def _action(of: Records, job: Document, found: Document) -> str:
    name, held = job.get("action", {}).get("action"), of.held.get(job["_id"])
    match found.get("action"):
        case Action.HELD if held is not None:
            return f"{name} is held for the contact until {rfc3339(held['until'])}"
        case Action.HELD:
            return f"{name} is held for the contact"
        case Action.FIRED if held is not None:
            return f"fired {name}, which had been held for the contact"
        case Action.FIRED:
            return f"fired {name}"
        case _:
            return ""  # the log says why one is dropped


def _logged(entry: Document) -> Iterator[Event]:
    code = entry["code"]
    if code in _SAID_BY_THE_JOB:
        return
    reference = f" ({entry['reference']})" if entry.get("reference") else ""
    by = ENRICHER if code in MISSING_CONTACT | {ACTION_DROPPED} or "Missing" in code else WRITER
    yield Event(entry["at"], by, f"{code}{reference}: {entry['message']}", entry["jobId"])
    if entry.get("resolvedAt"):
        over = f"{code}{reference} is over: nothing lacks any more, or the order changed."
        yield Event(entry["resolvedAt"], ENRICHER, over, entry["jobId"])


def _delivery(delivery: Document) -> Iterator[Event]:
    name, job_id = delivery["action"], delivery["jobId"]

    def event(at: datetime, what: str) -> Event:
        return Event(at, TRIGGER, what, job_id)

    yield event(delivery["createdAt"], f"Recorded {name} as delivery {delivery['_id']}.")
    for number, attempt in enumerate(delivery["attempts"], 1):
        yield event(attempt["at"], f"Attempt {number} of {name}: {_answer(attempt)}.")
    if delivery["state"] != PENDING:
        yield event(delivery["since"], _end(delivery))
    if delivery["state"] == PENDING and delivery.get("round"):
        yield event(delivery["since"], f"An operator made {name} pending again.")
    if "erasedAt" in delivery:
        yield event(delivery["erasedAt"], f"What {name} held was erased with its contact.")


def _set_aside(letter: Document) -> Event:
    what = f"A record of {letter['topic']} became a dead letter: {letter['code']}."
    return Event(letter["at"], letter["service"], what, letter.get("jobId", ""))


def _answer(attempt: Mapping[str, Any]) -> str:
    status = f"status {attempt['status']}" if attempt["status"] is not None else "no answer"
    return f"{status} after {attempt['durationMs']} ms"


def _end(delivery: Document) -> str:
    name = delivery["action"]
    if delivery["state"] == DELIVERED:
        return f"{name} was delivered."
    if delivery["state"] == FAILED:
        return f"{name} failed for good: {str(delivery.get('reason', '')).rstrip('.')}."
    return f"{name} was dropped: its contact was erased."
