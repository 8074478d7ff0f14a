"""Events that are handled together: the state they are decided from, and what follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

from enricher.domain.commitments import apply_commitment
from enricher.domain.contact_matching import ContactKeys, KnownContact
from enricher.domain.erasure import ContactClaim
from enricher.domain.linking import ReferenceFacts, ReferenceKeys, current_link
from enricher.domain.model import (
    ENRICHABLE,
    LINKING,
    Commitment,
    ContactLink,
    DecidedEvent,
    HoldWindow,
    OrderLifetime,
    ReceivedEvent,
    StoredOrder,
)
from enricher.domain.rules import decide
from order_contracts.events import EventType
from order_contracts.integration_log import DropReason
from order_contracts.job import Action, Enrichment
from order_runtime.documents.document import Document
from order_runtime.documents.erasures import id_key


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far the jobs of a batch are, by job id."""

    enrichments: Mapping[str, Document]
    """The enrichment of those whose event was handled: all its other effects came before it."""
    commitments: Mapping[str, Commitment]
    """The commitment of those whose event was handled in part."""
    agreed_inside: Set[str] = frozenset()
    """Those whose own documents have a commitment, which names a contact, of an earlier release."""
    fired: Set[str] = frozenset()
    """Those that are decided again although their action was fired: nobody received it."""


@dataclass(frozen=True, slots=True)
class BatchSnapshot:
    """What is stored of the orders and jobs that a batch names, by id."""

    orders: Mapping[str, StoredOrder]
    links: Mapping[str, ContactLink]
    jobs: JobProgress


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in their order, with everything that was read for them and decided about them."""

    events: Sequence[ReceivedEvent]
    snapshot: BatchSnapshot
    facts: ReferenceFacts
    claims: Sequence[ContactClaim]
    erased: Mapping[OrderLifetime, datetime]
    """The orders that an erasure takes, with its time."""
    decided: Sequence[DecidedEvent] = ()
    new_links: Sequence[ContactLink] = ()
    to_reconcile: Sequence[str] = ()
    """The orders that may lack something or be deleted."""


def committed_to_fire(events: Iterable[ReceivedEvent], snapshot: BatchSnapshot) -> BatchSnapshot:
    """
    Return *snapshot* with what was held and fired later committed to be fired.

    It goes to the contact that its order has by now, as it did then.
    """
    found: dict[str, Commitment] = {}
    for it in events:
        job_id, link = it.event.job_id, snapshot.links.get(it.event.order_id)
        committed = snapshot.jobs.commitments.get(job_id)
        was_held = committed is not None and committed.end is Action.HELD
        if job_id in snapshot.jobs.fired and was_held and link is not None and link.contact_id:
            found[job_id] = Commitment(Action.FIRED, link.contact_id)
    commitments = {**snapshot.jobs.commitments, **found}
    return replace(snapshot, jobs=replace(snapshot.jobs, commitments=commitments))


def reference_keys_of_events(
    events: Iterable[ReceivedEvent], snapshot: BatchSnapshot, keys: ContactKeys
) -> ReferenceKeys:
    """Return the references that the decisions on *events* may need."""
    committed = (it.contact_id for it in snapshot.jobs.commitments.values())
    contacts = {id_key(contact_id) for contact_id in committed if contact_id is not None}
    # A stored order may name another contact by now than its event does; claims need that one.
    contacts.update(keys.lookup_key(it.contact) for it in snapshot.orders.values())
    articles: set[str] = set()
    stores: set[str] = set()
    for it in events:
        order, link = it.event.order, snapshot.links.get(it.event.order_id)
        if order is None or it.kind not in ENRICHABLE:
            continue
        contacts.add(keys.lookup_key(order.contact))
        if link is not None and link.contact_id is not None:
            contacts.add(id_key(link.contact_id))
        if it.kind in LINKING:
            articles.update(order.skus)
            stores.update(filter(None, [order.external_store_id]))
    return ReferenceKeys(frozenset(contacts), frozenset(articles), frozenset(stores))


def decide_batch(batch: Batch, window: HoldWindow) -> Batch:
    """Return *batch* with its decisions, in the order of its events, and what follows from them."""
    snapshot = without_erased_orders(batch)
    links = dict(snapshot.links)
    decided: list[DecidedEvent] = []
    for event in undecided_events(batch.events, snapshot.jobs):
        order_id = event.event.order_id
        stored, link = snapshot.orders.get(order_id), links.get(order_id)
        committed = snapshot.jobs.commitments.get(event.event.job_id)
        it = event if committed is None else replace(event, commitment=committed)
        decision = decide(it, stored, link, batch.facts, window)
        decision = apply_commitment(it, decision, link, batch.facts, window)
        if decision.link is not None:
            links[order_id] = decision.link  # for the order's later events
        decided.append(DecidedEvent(it, decision))
    new_links = [it.decision.link for it in decided if it.decision.link is not None]
    to_reconcile = orders_to_reconcile(batch, decided)
    return replace(batch, decided=decided, new_links=new_links, to_reconcile=to_reconcile)


def orders_to_heal_first(batch: Batch) -> list[str]:
    """
    Return the orders that wait for a contact which is there by now.

    The healing queue comes to them, in its time. What their events decide is to be decided after
    that, as if they had been healed when the contact came.
    """
    taken = {it.order_id for it in batch.erased}
    return [
        order_id
        for order_id, stored in batch.snapshot.orders.items()
        if order_id not in taken
        and (link := current_link(stored, batch.snapshot.links.get(order_id))) is not None
        and link.contact_id is None
        and isinstance(batch.facts.contact_of(stored.contact), KnownContact)
    ]


def undecided_events(events: Iterable[ReceivedEvent], jobs: JobProgress) -> list[ReceivedEvent]:
    """
    Return the events whose jobs have no enrichment yet, each once.

    An event that was announced again may be in the batch twice, with other events of its order
    between: a second decision could contradict the first.
    """
    first: dict[tuple[str, EventType], ReceivedEvent] = {}
    for it in events:
        if it.event.job_id not in jobs.enrichments:
            first.setdefault((it.event.job_id, it.kind), it)
    return list(first.values())


def without_erased_orders(batch: Batch) -> BatchSnapshot:
    """
    Return the batch's snapshot as if the orders of erased contacts were deleted already.

    Nothing is fired for an erased contact any more, whatever the commitment. Commitments from
    before the order belonged to that contact are kept.
    """
    snapshot, since = batch.snapshot, {it.order_id: it.contact_since for it in batch.erased}
    orders = {order_id: it for order_id, it in snapshot.orders.items() if order_id not in since}
    jobs_of_erased = {
        it.event.job_id
        for it in batch.events
        if it.event.order_id in since
        and (it.event.version is None or it.event.version >= since[it.event.order_id])
    }
    committed = snapshot.jobs.commitments
    erased = Commitment(Action.DROPPED, reason=DropReason.CONTACT_ERASED)
    dropped = dict.fromkeys(committed.keys() & jobs_of_erased, erased)
    jobs = replace(snapshot.jobs, commitments={**committed, **dropped})
    return replace(snapshot, orders=orders, jobs=jobs)


def orders_to_reconcile(batch: Batch, decided: Iterable[DecidedEvent]) -> list[str]:
    """
    Return the orders that may lack something or be deleted.

    Those of events that were handled before are among them: the process that handled them may
    have died before it reconciled their orders.
    """
    incomplete = {it.received.event.order_id for it in decided if it.decision.incomplete}
    return list(incomplete | {it.event.order_id for it in batch.events if _may_be_due(it, batch)})


def held_jobs(batch: Batch) -> set[str]:
    """Return the jobs of *batch* that say their action is held, now or since it came before."""
    decided = {
        it.received.event.job_id for it in batch.decided if it.decision.action is Action.HELD
    }
    before = batch.snapshot.jobs.enrichments.items()
    return decided | {job_id for job_id, it in before if it.get("action") == Action.HELD}


def _may_be_due(received: ReceivedEvent, batch: Batch) -> bool:
    """Return whether an event's order may have to be reconciled, by what was stored before."""
    event = received.event
    link = batch.snapshot.links.get(event.order_id)
    enrichment = batch.snapshot.jobs.enrichments.get(event.job_id, {})
    repeated = link is not None and link.contact_version == event.version
    return (
        received.kind is EventType.DELETED
        or (link is not None and bool(link.waits_for))
        or (received.kind is EventType.REPLACED and repeated)
        or enrichment.get("state") == Enrichment.CONTACT_MISSING
        or enrichment.get("action") == Action.HELD
    )
