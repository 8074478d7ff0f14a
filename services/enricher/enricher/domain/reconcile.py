"""Reconciling an order with today's facts: its link healed, its held actions fired or dropped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from enricher.domain.action_ends import ended_action, last_requests, order_action
from enricher.domain.announced import announced_order
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.erasure import covering_erasure, erasure_outlived
from enricher.domain.linking import (
    ARTICLE_MISSING,
    STORE_MISSING,
    ReferenceFacts,
    ReferenceKeys,
    current_link,
    healed_link,
)
from enricher.domain.missing_entries import with_articles_left
from enricher.domain.model import (
    ContactLink,
    HeldAction,
    HoldState,
    RequestedAction,
    StoredOrder,
)
from order_contracts.events import Missing
from order_runtime.documents.erasures import Erasure, id_key
from order_runtime.documents.orders import LiveOrder, Tombstone


@dataclass(frozen=True, slots=True)
class OrderContext:
    """One order with everything that is stored about it."""

    order_id: str
    stored: StoredOrder | None
    """None if it was deleted."""
    link: ContactLink | None = None
    held_actions: Collection[HeldAction] = ()
    """Those that wait, and those whose end may not be known to their job."""
    requested: Collection[RequestedAction] = ()
    """The newest actions that commands of the order embedded; not read where none waits."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What is to change about one order."""

    context: OrderContext
    facts: ReferenceFacts
    link: ContactLink | None
    """The link by today's facts; None without a current link."""
    ends: Sequence[HeldAction]
    """The waiting actions that end, in the state FIRING or DROPPED."""
    erasure: Erasure | None = None
    """The erasure that takes the order: it is to be deleted."""

    @property
    def order_id(self) -> str:
        return self.context.order_id

    @property
    def order_deleted(self) -> bool:
        return self.context.stored is None

    @property
    def healed(self) -> bool:
        return self.link is not None and self.link != self.context.link

    @property
    def changes_anything(self) -> bool:
        link_is_orphaned = self.order_deleted and self.context.link is not None
        return self.healed or link_is_orphaned or bool(self.ends) or self.erasure is not None

    @property
    def erasure_outlived(self) -> str | None:
        """The key of an erased contact that the order waits for, since a living one carries it."""
        stored, link = self.context.stored, self.link
        if stored is None or link is None:
            return None
        return erasure_outlived(stored, link, self.facts)

    @property
    def still_missing(self) -> tuple[Missing, ...] | None:
        """What the order lacks; None until its event is handled: the facts were not checked yet."""
        if self.link is None:
            return () if self.order_deleted else None
        return self.link.missing

    @property
    def newly_missing(self) -> set[Missing]:
        """What it lacks and did not before: a missing contact may have become ambiguous."""
        before = self.context.link.missing if self.context.link else ()
        return set(self.still_missing or ()) - set(before)

    def ending(self, end: HoldState) -> list[HeldAction]:
        return [it for it in self.ends if it.state is end]

    def action_message(self, held: HeldAction, order: LiveOrder | Tombstone | None) -> bytes | None:
        """Return *held* as it is to be published; None if *order* has changed since."""
        link = self.link
        if link is None or link.contact_id is None or not isinstance(order, LiveOrder):
            return None
        if order.contact_version != held.contact_version:
            return None
        contact = self.facts.contact(link.contact_id)
        return order_action(
            held.job_id, held.action, announced_order(order.view()), contact
        ).to_json()


def reference_keys_of_orders(contexts: Iterable[OrderContext], keys: ContactKeys) -> ReferenceKeys:
    """Return the references that reconciling these orders needs."""
    contacts: set[str] = set()
    missing: dict[str, set[str]] = {ARTICLE_MISSING: set(), STORE_MISSING: set()}
    for it in contexts:
        link = current_link(it.stored, it.link)
        if link is None or it.stored is None:
            continue
        if link.contact_id is None:
            contacts.add(keys.lookup_key(it.stored.contact))
        elif it.held_actions:
            contacts.add(id_key(link.contact_id))
        for reference in link.missing:
            missing.get(reference.code, set()).add(reference.reference)
    articles, stores = missing[ARTICLE_MISSING], missing[STORE_MISSING]
    return ReferenceKeys(frozenset(contacts), frozenset(articles), frozenset(stores))


def reconcile(context: OrderContext, facts: ReferenceFacts, now: datetime) -> Reconciliation:
    """Return what is to change about an order by today's facts."""
    stored, link = context.stored, current_link(context.stored, context.link)
    erasure = None
    if link is not None and stored is not None:
        erasure = covering_erasure(stored, link, facts)
        if erasure is None:
            link = with_articles_left(link, healed_link(link, stored, facts))
    contact, requested = link if erasure is None else None, last_requests(context.requested)
    ends = (ended_action(it, stored, requested, now, contact) for it in context.held_actions)
    return Reconciliation(context, facts, link, [it for it in ends if it is not None], erasure)


def in_command_order(held_actions: Iterable[HeldAction]) -> list[HeldAction]:
    """Return held actions in the order in which their commands were applied."""
    return sorted(held_actions, key=lambda it: (it.order_id, it.version))
