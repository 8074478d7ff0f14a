"""Laws of erasure: all data of an erased contact is gone, and no other contact's. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from support.laws.actions import jobs_with_action
from support.laws.evidence import ContactHistory, ContactKey, Evidence, Finding
from support.model.expected_outcomes import contact_key, sets_contact
from support.model.log_reader import ENRICHER_SOURCE
from support.model.model import ModelOrder
from support.model.replay import ExpectedJob

SENT_WITHIN = 300.0  # seconds after a tombstone in which an action may still be delivered


def no_order_of_an_erased_contact_is_left(evidence: Evidence) -> Iterator[Finding]:
    """
    No order exists that belonged to the contact before it was erased.

    One that names a key which a living contact carries as well may be that one's.
    """
    for order_id in evidence.replay.model.history.keys() - evidence.replay.unordered:
        order = evidence.replay.model.order(order_id)
        key = contact_key(order.content) if order else None
        person = evidence.erased_contacts.get(key) if key else None
        if key and evidence.living_carriers(key):
            continue
        if order and person and _is_older(evidence, order_id, order, person):
            yield Finding("its contact was erased", order_id, order.registered_by)


def only_orders_of_erased_contacts_are_deleted(evidence: Evidence) -> Iterator[Finding]:
    """Every order that the enricher deleted belonged to a contact before its erasure."""
    for job, order in _deletions(evidence):
        if order and _is_a_living_ones_by_merge(evidence, contact_key(order.content)):
            continue  # see the law below
        person = evidence.erased_contacts.get(contact_key(order.content)) if order else None
        if (
            order is None
            or person is None
            or _at(evidence, order.registered_by) > erased_at(person)
        ):
            yield Finding("its contact was not erased", job.order_id, job.job_id)
        elif evidence.is_ambiguous_until(
            contact_key(order.content), _at(evidence, order.registered_by)
        ):
            yield Finding("a living contact carries its key", job.order_id, job.job_id)


def a_merge_loses_no_order(evidence: Evidence) -> Iterator[Finding]:
    """The enricher deletes no order whose contact was merged into one that lives."""
    for job, order in _deletions(evidence):
        if order and _is_a_living_ones_by_merge(evidence, contact_key(order.content)):
            yield Finding("its contact was merged, not erased", job.order_id, job.job_id)


def nothing_says_who_was_erased(evidence: Evidence) -> Iterator[Finding]:
    """No document has a key of an erased contact, except of orders written after the erasure."""
    spelt = {
        text: person
        for (kind, text), person in evidence.erased_contacts.items()
        if not evidence.living_carriers((kind, text))
    }
    if not spelt:
        return
    longest_first = sorted(spelt, key=len, reverse=True)
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")
    again = _came_again(evidence)
    for collection, documents in evidence.history.documents.items():
        for document in documents:
            order_id = document.get("orderId") or document["_id"]
            for text in set(pattern.findall(json.dumps(document, default=str))):
                if (order_id, spelt[text].contact_id) not in again:
                    yield Finding(f"{text} is in {collection} {document['_id']}", order_id)


def no_action_of_an_erased_contact_is_sent_later(evidence: Evidence) -> Iterator[Finding]:
    """
    Actions of orders from before the erasure are sent soon after it, or never.

    Never to another contact, where one carried the key all the while: until then it was nobody's.
    """
    for job, _ in jobs_with_action(evidence):
        order = job.step.after if job.step else None
        key = contact_key(order.content) if order else None
        person = evidence.erased_contacts.get(key) if key else None
        if order is None or key is None or person is None:
            continue
        if evidence.living_carriers(key):
            namesakes = {it.contact_id for it in evidence.living_carriers(key)}
            webhooks = evidence.webhooks.get(evidence.action_id(job), ())
            # Another one is sent to whom the order names by now, by a key of that one's own.
            theirs = [it for it in webhooks if it.body["data"]["contactId"] in namesakes]
            if theirs and evidence.is_ambiguous_until(key, _at(evidence, job.job_id)):
                yield Finding("it was sent to a namesake", job.order_id, job.job_id)
            continue
        if not _is_older(evidence, str(job.order_id), order, person):
            continue
        for webhook in evidence.webhooks.get(evidence.action_id(job), ()):
            if webhook.at > erased_at(person) / 1000 + SENT_WITHIN:
                yield Finding(
                    f"webhook {webhook.id} of an erased contact", job.order_id, job.job_id
                )


def _deletions(evidence: Evidence) -> Iterator[tuple[ExpectedJob, ModelOrder | None]]:
    """Yield the jobs by which the enricher deleted an order, with the order before it."""
    for job in evidence.ordered_jobs():
        by_enricher = job.source.record.header("ce_source") == ENRICHER_SOURCE
        if by_enricher and job.result.version is not None and job.step is not None:
            steps = evidence.replay.model.history[str(job.order_id)]
            yield job, steps[steps.index(job.step) - 1].after


def _is_a_living_ones_by_merge(evidence: Evidence, key: ContactKey) -> bool:
    """Whether the key is that of a contact that was merged into one which was never erased."""
    carriers = evidence.carriers.get(key, ())
    return any(it.former_id is not None and it.erased_at is None for it in carriers)


def erased_at(person: ContactHistory) -> int:
    assert person.erased_at is not None
    return person.erased_at


def _is_older(evidence: Evidence, order_id: str, order: ModelOrder, person: ContactHistory) -> bool:
    """Whether the order belonged to this contact before it was erased."""
    steps = evidence.replay.model.history[order_id]
    contact_since = next(
        _at(evidence, it.command.job_id) for it in steps if it.result.version == order.contact_since
    )
    return contact_since <= erased_at(person)


def _at(evidence: Evidence, job_id: str) -> int:
    return evidence.replay.jobs[job_id].source.record.at


def _came_again(evidence: Evidence) -> set[tuple[str, str]]:
    """Return orderId and contactId of commands that name a contact after its erasure."""
    found = set[tuple[str, str]]()
    for order_id, steps in evidence.replay.model.history.items():
        for step in steps:
            order = step.after if sets_contact(step) else None
            person = evidence.erased_contacts.get(contact_key(order.content)) if order else None
            if person and _at(evidence, step.command.job_id) > erased_at(person):
                found.add((order_id, person.contact_id))
    return found
