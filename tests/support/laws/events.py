"""Laws of `orders.events`, against the log of commands. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from support.laws.canonical_form import canonical
from support.laws.evidence import AnnouncedEvent, Evidence, Finding
from support.laws.orders import canonical_content
from support.model.model import ACTION, DELETE, DELIVERY, READ_ONLY, REGISTER, REPLACE, STATUS
from support.model.replay import ExpectedJob

EVENT_TYPES = {
    REGISTER: "OrderRegistered.v1",
    REPLACE: "OrderReplaced.v1",
    DELETE: "OrderDeleted.v1",
    STATUS: "OrderStatusChanged.v1",
    DELIVERY: "OrderDeliveryChanged.v1",
    ACTION: "OrderActionRequested.v1",
}


def every_outcome_is_announced(evidence: Evidence) -> Iterator[Finding]:
    """Every command has at least one event."""
    for job in evidence.replay.jobs.values():
        if job.job_id not in evidence.events:
            message = f"no event of {job.source.record.position}"
            yield Finding(message, job.order_id, job.job_id)


def an_event_keeps_its_meaning(evidence: Evidence) -> Iterator[Finding]:
    """All events of a command have one ce_id, and its outcome."""
    owners: dict[str | None, str] = {}
    for job_id, events in evidence.events.items():
        job = evidence.replay.jobs.get(job_id)
        order_id = events[0].record.name
        if job is None:
            yield Finding(f"an event of nothing: {events[0].record.position}", order_id, job_id)
            continue
        if len({it.id for it in events}) > 1 or owners.setdefault(events[0].id, job_id) != job_id:
            yield Finding("its ce_id is not its own", order_id, job_id)
        if job.order_id in evidence.replay.unordered:
            continue
        for event in events:
            if (found := announced_outcome(event)) != (right := expected_announcement(job)):
                yield Finding(f"{found}, not {right} at {event.record.position}", order_id, job_id)


def no_order_goes_back_in_version(evidence: Evidence) -> Iterator[Finding]:
    """Versions never decrease for a consumer that deduplicates by ce_id."""
    seen: set[str | None] = set()
    made: dict[str, int] = {}
    shown: dict[str, int] = {}
    for event in evidence.events_on("orders.events"):
        order_id = event.data.get("orderId") or ""
        if event.id in seen or order_id in evidence.replay.unordered:
            continue
        seen.add(event.id)
        for name, last in (("version", made), ("orderVersion", shown)):
            version = event.data.get(name)
            if version is None:
                continue
            back = last.get(order_id, 0) - version
            if back > 0 or (back == 0 and last is made):
                message = f"{name} {version} at {event.record.position} after {last[order_id]}"
                yield Finding(message, order_id, event.job_id)
            last[order_id] = version


def an_event_carries_the_order_as_it_was(evidence: Evidence) -> Iterator[Finding]:
    """An event has the order as of its orderVersion; none if that was a deletion."""
    for job_id, events in evidence.events.items():
        for event in events:
            order_id, version = event.data.get("orderId") or "", event.data.get("orderVersion")
            versions = evidence.versions.get(order_id, {})
            if order_id in evidence.replay.unordered or version not in versions:
                continue
            found, right = event.data.get("order"), versions[version]
            shown = canonical(
                {name: it for name, it in found.items() if name not in READ_ONLY} if found else None
            )
            version_tag = found.get("versionTag") if found else None
            if (shown, version_tag) != (
                (canonical_content(right), right.version_tag) if right else (None, None)
            ):
                message = f"another order than version {version} at {event.record.position}"
                yield Finding(message, order_id, job_id)


def announced_outcome(event: AnnouncedEvent) -> tuple[object, ...]:
    data = event.data
    error, action = data.get("error"), data.get("action")
    code = error["code"] if error else None
    return event.kind, data.get("version"), code, action["action"] if action else None


def expected_announcement(job: ExpectedJob) -> tuple[object, ...]:
    result = job.result
    action = result.action["action"] if result.action else None
    if result.code is not None:
        return "OrderCommandRejected.v1", None, result.code, None
    changed = result.version is not None or result.action is not None
    if not changed or result.alias_of is not None:
        return "OrderUnchanged.v1", None, None, action
    return EVENT_TYPES[job.operation], result.version, None, action
