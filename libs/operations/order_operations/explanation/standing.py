"""
Where an order or a job is now, and what it waits for: one sentence. Pure.

What waits comes before what failed, what failed before what was dropped, the newest job first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from order_contracts.integration_log import ACTION_DROPPED, DropReason, drop_message
from order_contracts.job import Action, Enrichment, Operation
from order_contracts.times import rfc3339
from order_operations.deliveries.endpoint_view import OPEN as OPEN_CIRCUIT
from order_operations.deliveries.endpoint_view import Endpoint
from order_operations.explanation.records import Kind, Records
from order_operations.explanation.timeline import MISSING_CONTACT, UNREADABLE, command_of
from order_runtime.documents.dead_letters import OPEN
from order_runtime.documents.deliveries import DELIVERED, ENABLED, FAILED, PENDING
from order_runtime.documents.document import Document
from order_runtime.documents.jobs import awaits_enrichment

NAMED: Final = 3  # articles that the sentence names
_LACKING: Final[dict[str, str]] = {
    "ContactMissing": "no contact matches its key",
    "ContactAmbiguous": "several contacts match its key",
    "ArticleMissing": "an article that it names is not known",
    "StoreMissing": "the store that it names is not known",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where it is now."""

    sentence: str
    waits: bool
    """Whether something is still to come, by itself or once someone does something."""


def standing(of: Records, now: datetime) -> Standing:
    """Return where the subject of the records is *now*."""
    where = _order(of) if of.subject.kind is Kind.ORDER else _job(of)
    lacks = _unknown_references(of)
    newest = of.jobs[::-1]
    for find, waits in _CLAUSES:
        if clause := next(_each(find, of, newest, now), None):
            return Standing(f"{where}; {clause}{lacks}.", waits)
    return Standing(f"{where}; nothing is waited for{lacks}.", waits=False)


Find = Callable[[Records, Document, datetime], str | None]


def _each(find: Find, of: Records, jobs: Sequence[Document], now: datetime) -> Iterator[str]:
    return (it for job in jobs if (it := find(of, job, now)))


def _order(of: Records) -> str:
    order = of.order
    if order is None:
        refused = all("failure" in it for it in of.jobs)
        return "The order was never stored" if refused else "The order is not stored any more"
    if "deletedAt" in order:
        return f"The order was deleted at {rfc3339(order['deletedAt'])}"
    status = order["order"]["status"]
    contact = "linked to its contact" if _is_linked(of) else "not linked to a contact"
    return f"The order is stored as version {order['version']}, {status}, {contact}"


def _is_linked(of: Records) -> bool:
    lacks = (it["code"] for it in (of.link or {}).get("missing", ()))
    return of.link is not None and MISSING_CONTACT.isdisjoint(lacks)


def _job(of: Records) -> str:
    job = of.jobs[-1] if of.jobs else None
    if job is None:
        return f"The job of delivery {of.subject.id} is not stored any more"
    if "failure" in job:
        failed = job["failure"]
        return f"The command was refused with {failed['status']} {failed['code']}"
    if "version" in job:
        return f"The command was applied as version {job['version']}"
    return "The command was accepted, and changed no order"


def _undelivered(of: Records, job: Document, now: datetime) -> str | None:
    """Return why a delivery that is pending has not arrived."""
    delivery = of.deliveries.get(job["_id"])
    if delivery is None or delivery["state"] != PENDING:
        return None
    name = delivery["action"]
    if (endpoint := of.endpoints.get(name)) and (closed := _closed(endpoint)):
        return f"{name} waits for the endpoint {endpoint.endpoint}, {closed}"
    attempts = delivery["attempts"]
    due = f"{'was' if delivery['dueAt'] <= now else 'is'} due at {rfc3339(delivery['dueAt'])}"
    if delivery.get("parked"):
        return f"{name} waits until earlier actions of the order have ended"
    if not attempts:
        return f"{name} {due}, and was not sent yet"
    last = attempts[-1]["status"]
    answer = "no answer" if last is None else f"status {last}"
    count = "1 attempt" if len(attempts) == 1 else f"{len(attempts)} attempts, the last"
    return f"{name} is sent again: it {due}, after {count} with {answer}"


def _closed(endpoint: Endpoint) -> str:
    """Return why nothing is sent to an endpoint; nothing where something is."""
    since = f" since {rfc3339(endpoint.since)}" if endpoint.since else ""
    if endpoint.state != ENABLED:
        by = f" by {endpoint.by}" if endpoint.by else ""
        opens = "resume" if endpoint.state == "paused" else "enable"
        way_out = f"`orders deliveries {opens} {endpoint.endpoint}` opens it"
        return f"which is {endpoint.state}{by}{since}: {way_out}"
    if endpoint.circuit != OPEN_CIRCUIT or endpoint.circuit_since is None:
        return ""
    probe = f", probed at {rfc3339(endpoint.next_probe_at)}" if endpoint.next_probe_at else ""
    answer = "no answer" if endpoint.last_status is None else f"status {endpoint.last_status}"
    opened = rfc3339(endpoint.circuit_since)
    return f"whose circuit is open since {opened}, the last attempt with {answer}{probe}"


def _set_aside(of: Records, job: Document, _: datetime) -> str | None:
    """Return that an event or an action of the job was set aside, and that nobody handled it."""
    open_ones = (it for it in of.letters if it.get("jobId") == job["_id"] and it["state"] == OPEN)
    letter = next(open_ones, None)
    if letter is None or job["_id"] in of.deliveries:
        return None
    key = f" --key {letter['orderId']}" if "orderId" in letter else ""
    replay = f"`orders dlq replay --topic {letter['topic']}{key}`"
    return f"its record of {letter['topic']} is a dead letter ({letter['code']}): {replay}"


def _unrecorded(of: Records, job: Document, _: datetime) -> str | None:
    found = of.enrichments.get(job["_id"], {})
    if found.get("action") != Action.FIRED or job["_id"] in of.deliveries or "action" not in job:
        return None
    name = job["action"]["action"]
    return f"{name} was fired, and waits for the action-trigger to read it from orders.actions"


def _held(of: Records, job: Document, _: datetime) -> str | None:
    held = of.held.get(job["_id"])
    if held is None or held["state"] != "waiting":
        return None
    name = held["action"]["action"]
    until = rfc3339(held["until"])
    return (
        f"{name} is held until {until}, since {_lacks_contact(of)}: import or correct the contact"
    )


def _lacks_contact(of: Records) -> str:
    codes = {it["code"] for it in (of.link or {}).get("missing", ())}
    return _LACKING["ContactAmbiguous" if "ContactAmbiguous" in codes else "ContactMissing"]


def _unenriched(of: Records, job: Document, _: datetime) -> str | None:
    if not awaits_enrichment(job) or job["_id"] in of.enrichments or "enrichment" in job:
        return None
    return f"the enricher has not checked {job['operation']} of {rfc3339(job['at'])} yet"


def _without_contact(of: Records, job: Document, _: datetime) -> str | None:
    """Return why the newest version of the order has no contact."""
    if _is_gone(of) or (of.link or {}).get("jobId") != job["_id"] or _is_linked(of):
        return None
    return f"it waits for its contact, since {_lacks_contact(of)}"


def _unknown_references(of: Records) -> str:
    """Return which articles and which store the order names that are not known."""
    lacks = [
        f"{_LACKING.get(it['code'], it['code'])} ({it['reference']})"
        for it in (of.link or {}).get("missing", ())
        if it["code"] not in MISSING_CONTACT
    ]
    if not lacks or _is_gone(of):
        return ""
    more = f", and {len(lacks) - NAMED} more" if len(lacks) > NAMED else ""
    return f"; {', '.join(lacks[:NAMED])}{more}"


def _is_gone(of: Records) -> bool:
    return of.order is None or "deletedAt" in of.order


def _failed(of: Records, job: Document, _: datetime) -> str | None:
    delivery = of.deliveries.get(job["_id"])
    if delivery is None or delivery["state"] != FAILED:
        return None
    replay = f"`orders deliveries replay {delivery['_id']}` sends it again"
    reason = str(delivery.get("reason", "")).rstrip(".")
    return f"{delivery['action']} failed for good ({reason}): {replay}"


def _never_fired(of: Records, job: Document, _: datetime) -> str | None:
    """Return why an action was dropped, or can't be sent."""
    if "action" not in job:
        return None
    name, found = job["action"]["action"], of.enrichments.get(job["_id"], {})
    dropped = next((it for it in of.log if _is_drop(it, job)), None)
    if dropped is not None and "reason" in dropped:
        why = drop_message(DropReason(dropped["reason"])).partition(": ")[2].rstrip(".")
        return f"{name} never fired, because {why}"
    if found.get("action") == Action.DROPPED:
        return f"{name} never fired: it was dropped"
    if found.get("state") == Enrichment.CONTACT_MISSING and job["operation"] == Operation.ACTION:
        return f"{name} never fired, because the order has no contact"
    return None


def _is_drop(entry: Document, job: Document) -> bool:
    return bool(entry["code"] == ACTION_DROPPED and entry["jobId"] == job["_id"])


def _delivered(of: Records, job: Document, _: datetime) -> str | None:
    delivery = of.deliveries.get(job["_id"])
    if delivery is None or delivery["state"] != DELIVERED:
        return None
    at = rfc3339(delivery["since"])
    return f"{delivery['action']} was delivered at {at}, and nothing is waited for"


def _refused(_: Records, job: Document, __: datetime) -> str | None:
    if "failure" not in job:
        return None
    failed = job["failure"]
    asked = command_of(job)
    subject = (
        f"{asked[0].lower()}{asked[1:]}" if asked == UNREADABLE else f"the last command, {asked},"
    )
    return f"{subject} was refused with {failed['status']} {failed['code']}"


def _no_action(of: Records, job: Document, _: datetime) -> str | None:
    """Return that nothing was to fire, where no job of the order asked for anything."""
    if any("action" in it for it in of.jobs) or "version" not in job:
        return None
    return "no action was asked for, and nothing is waited for"


_CLAUSES: Final[tuple[tuple[Find, bool], ...]] = (
    (_undelivered, True),
    (_set_aside, True),
    (_unrecorded, True),
    (_held, True),
    (_unenriched, True),
    (_without_contact, True),
    (_failed, True),
    (_never_fired, False),
    (_delivered, False),
    (_no_action, False),
    (_refused, False),
)
"""What is told, the first that any job has; and whether something is waited for then."""
