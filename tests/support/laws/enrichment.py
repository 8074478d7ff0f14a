"""Laws of enrichment: links, jobs and the integration log against reference data. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from support.builders.bodies import Json
from support.laws.evidence import Evidence, Finding
from support.laws.jobs import expected_warnings
from support.model.expected_outcomes import contact_key
from support.model.model import ACTION, REGISTER, REPLACE
from support.model.replay import ExpectedJob

MAX_ENTRIES: Final = 50
"""Of one job and code, as in the contract."""
Entry = tuple[str, str | None]
"""The code and the reference of an integration log entry."""


def every_order_is_looked_at(evidence: Evidence) -> Iterator[Finding]:
    """The enrichment of every job that sets a contact or requests an action has ended."""
    for job, document in evidence.jobs_with_documents():
        due = job_sets_contact(job) or job.result.action is not None
        if due and "enrichment" not in document:
            yield Finding("its enrichment is pending", job.order_id, job.job_id)


def the_links_are_the_models(evidence: Evidence) -> Iterator[Finding]:
    """
    Every live order has the link that the model expects; a deleted one has no link.

    A link to an erased contact is allowed for an order that was written when it still existed, and
    one to any contact that carries the key, as long as it was the only one.
    """
    model = evidence.replay.model
    for order_id in (model.history.keys() | evidence.links.keys()) - evidence.replay.unordered:
        order, link = model.order(order_id), evidence.links.get(order_id)
        key = contact_key(order.content) if order else None
        expected = (
            (order.contact_version, evidence.existing_contacts.get(key)) if order and key else None
        )
        found = (link["contactVersion"], link["contactId"]) if link else None
        allowed = {it.contact_id for it in evidence.carriers.get(key, ())} if key else set()
        if len(allowed) < 2 and key not in evidence.erased_contacts:
            allowed = set()
        if found != expected and not (
            order and found and found[0] == order.contact_version and found[1] in allowed
        ):
            yield Finding(f"version and contact {found}, not {expected}", order_id)


def a_missing_contact_shows_in_the_job(evidence: Evidence) -> Iterator[Finding]:
    for job, document in evidence.jobs_with_documents():
        if job.step is None:
            continue
        shown = document if job.result.alias_of is None else evidence.jobs.get(job.result.alias_of)
        if shown is None:
            continue
        status, allowed = status_of(shown), evidence.outcome_of(job).statuses
        if status not in allowed:
            yield Finding(f"{status}, not {sorted(allowed)}", job.order_id, job.job_id)


def every_enrichment_is_announced(evidence: Evidence) -> Iterator[Finding]:
    """
    Every ended enrichment is on `orders.enriched`, with the contact that the order was linked to.

    A contact that came late is announced too, unless the order was changed before it came.
    """
    announced: dict[str, list[Json]] = {}
    for event in evidence.events_on("orders.enriched"):
        announced.setdefault(event.job_id or "", []).append(event.data)
    for job, document in evidence.jobs_with_documents():
        if not job_sets_contact(job) or enrichment_state(document) not in {
            "done",
            "contactMissing",
        }:
            continue
        order = job.step.after if job.step else None
        key = contact_key(order.content) if order else None
        expected = {evidence.existing_contacts.get(key) if key else None}
        known = evidence.carriers.get(key, ()) if key else ()
        carriers = {it.contact_id for it in known}
        former = {it.former_id for it in known if it.former_id}
        if len(carriers | former) > 1:
            expected |= {None, *carriers, *former}
        elif key in evidence.erased_contacts:
            expected |= carriers
        elif key in evidence.late_contacts(job) and not _is_current(evidence, job):
            expected |= {None}
        found = {it.get("contactId") for it in announced.get(job.job_id, ())}
        if not found & expected:
            yield Finding(f"contacts {found}, none of {expected}", job.order_id, job.job_id)


def _is_current(evidence: Evidence, job: ExpectedJob) -> bool:
    """Whether the order exists and has the contact that this job set."""
    order = evidence.replay.model.order(str(job.order_id))
    return order is not None and order.contact_version == job.result.version


def the_integration_log_says_what_is_due(evidence: Evidence) -> Iterator[Finding]:
    """The log has exactly the expected entries; further ones must be resolved."""
    for job, document in evidence.jobs_with_documents():
        entries = evidence.integration_log.get(job.job_id, [])
        found = {entry_of(job, it) for it in entries if "resolvedAt" not in it}
        resolved = {entry_of(job, it) for it in entries if "resolvedAt" in it}
        expected = expected_entries(evidence, job, document)
        if (
            found - expected - tolerated_entries(evidence, job, document)
            or expected - found - resolved
        ):
            yield Finding(
                f"{sorted(map(str, found))}, not {sorted(map(str, expected))}",
                job.order_id,
                job.job_id,
            )


def tolerated_entries(evidence: Evidence, job: ExpectedJob, document: Json) -> set[Entry]:
    """
    Return entries that are possible but not required: a worker logged them before it crashed.

    The order was replaced or deleted before the next worker handled the event. Or an action was
    sent, and after a restore of the database its order was deleted before its contact came.
    """
    if evidence.restored and "delivery" in document:
        return {("ActionDropped", None)} | _tolerated_after_a_crash(evidence, job)
    return _tolerated_after_a_crash(evidence, job)


def _tolerated_after_a_crash(evidence: Evidence, job: ExpectedJob) -> set[Entry]:
    order = job.step.after if job.step and job_sets_contact(job) else None
    if order is None:
        return set()
    missing = set(_missing(evidence, job))
    if _is_current(evidence, job) and evidence.links.get(str(job.order_id), {}).get("contactId"):
        return missing  # it has its contact, so ContactMissing would be wrong
    return missing | {("ContactMissing", contact_key(order.content)[0])}


def entry_of(job: ExpectedJob, document: Json) -> Entry:
    """Return an entry's code and reference; an action's missing contact has no fixed reference."""
    code, reference = document["code"], document.get("reference")
    if code == "ContactAmbiguous":  # a contact too many is missing in the same way
        code = "ContactMissing"
    return code, None if code == "ContactMissing" and not job_sets_contact(job) else reference


def expected_entries(evidence: Evidence, job: ExpectedJob, document: Json) -> set[Entry]:
    """Return the entries that a job must have, given its enrichment and action stages."""
    due = set(_stored_entries(evidence, job))
    stage, action = enrichment_state(document), action_stage_of(document)
    if stage == "contactMissing":
        known = job.step.after if job_sets_contact(job) and job.step else None
        due.add(("ContactMissing", contact_key(known.content)[0] if known else None))
    if job_sets_contact(job) and stage in {"done", "contactMissing"}:
        due |= set(_missing(evidence, job))
    erased = "delivery" in document  # a delivery is only dropped by an erasure, which logs nothing
    if action == "dropped" and not (
        erased or (job.operation == ACTION and stage == "contactMissing")
    ):
        due.add(("ActionDropped", None))
    if action == "failed" and job.result.action:
        due.add(("ActionFailed", job.result.action["action"]))
    return due


def _stored_entries(evidence: Evidence, job: ExpectedJob) -> Iterator[Entry]:
    if job.source.command is None:
        yield "CommandRejected", None
    elif job.result.code == "IdReused":
        yield "IdReused", None
    elif job.result.alias_of is None and job.result.code != "IdempotencyKeyReused":
        # What was rounded is told by the job alone.
        warnings = expected_warnings(job, evidence.history.partitions)
        yield from ((code, None) for code in warnings if code != "Rounded")


def _missing(evidence: Evidence, job: ExpectedJob) -> Iterator[Entry]:
    body = job.source.command.body if job.source.command else {}
    return missing_entries(body, evidence.articles, evidence.stores)


def missing_entries(
    body: Json, articles: Collection[str], stores: Collection[str]
) -> Iterator[Entry]:
    """Yield the entries about what an order names and nobody knows."""
    lines = dict.fromkeys(line["sku"] for line in body["lineItems"]["items"])
    skus = [sku for sku in lines if sku not in articles]
    # Of more than fifty the last entry names none: it says how many more there are.
    named = skus if len(skus) <= MAX_ENTRIES else [*skus[: MAX_ENTRIES - 1], None]
    for sku in named:
        yield "ArticleMissing", sku
    store = body.get("externalStoreId")
    if store is not None and store not in stores:
        yield "StoreMissing", store


def job_sets_contact(job: ExpectedJob) -> bool:
    return job.operation in {REGISTER, REPLACE} and job.result.version is not None


def enrichment_state(document: Json) -> str | None:
    found: str | None = document.get("enrichment", {}).get("state")
    return found


def action_stage_of(document: Json) -> str:
    """Return the job's action stage, as in the contract."""
    if "delivery" in document:
        return str(document["delivery"]["state"])
    default = "pending" if "action" in document else "none"
    return str(document.get("enrichment", {}).get("action", default))


def status_of(document: Json) -> str:
    """Return the job's status, as in the contract."""
    if "failure" in document:
        return "Failed"
    if enrichment_state(document) == "contactMissing":
        return "Failed" if document["operation"] == ACTION else "CompletedWithErrors"
    return "Completed"
