"""What a decision is made from, and what it says is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from enricher.domain.contact_matching import Candidates, ContactKeys, KnownContact, match_contact
from order_contracts.events import EventType, Missing, OrderAction, OrderEnriched, OrderEvent
from order_contracts.job import Action, Enrichment
from order_contracts.order import ActionRequest, ContactKey
from order_runtime.documents.erasures import id_key


@dataclass(frozen=True, slots=True)
class Commitment:
    """What is to become of an action: whoever says it first is right."""

    end: Action
    contact_id: str | None = None
    """Whom it is fired for."""


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event of an order as it was read."""

    kind: EventType
    event: OrderEvent
    accepted_at: datetime
    """When the command was accepted."""
    traceparent: str | None = None
    commitment: Commitment | None = None
    """What is to become of its action, which somebody may have done already."""


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """What is stored of an order that exists."""

    version: int
    contact_version: int
    contact_since: int
    """The version at which it got its contact, whatever replaced it since for the same one."""
    contact_since_at: datetime
    """When that command was accepted."""
    registered_by: str
    """The job that registered it: another one in each life of an orderId."""
    registered_at: datetime
    contact: ContactKey
    cancelled_since: int | None = None
    """The version that cancelled it, while it is."""


@dataclass(frozen=True, slots=True)
class OrderLifetime:
    """What of an orderId's lives belongs to one contact: until it is replaced for another's."""

    order_id: str
    registration: str
    """The job that registered it."""
    since: int
    """The version at which it got its contact."""
    connected: int
    """The version at which it was last registered or replaced, when it was looked at."""


@dataclass(frozen=True, slots=True)
class ContactLink:
    """
    What was found when the order was last registered or replaced.

    It counts while its `contact_version` is the order's.
    """

    order_id: str
    job_id: str
    """The job that registered or replaced it."""
    contact_version: int
    contact_id: str | None
    registered_at: datetime
    """Of the order, kept here so that a contact's orders are paged by one index."""
    missing: tuple[Missing, ...] = ()
    waits_for: tuple[str, ...] = ()
    """The keys whose arrival would mend it, one for each that is missing."""


class HoldState(StrEnum):
    """Where a held action is; it leaves `waiting` once, by compare-and-set."""

    WAITING = "waiting"
    FIRING = "firing"  # decided and not known to be published: published again until it is
    FIRED = "fired"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class HeldAction:
    """An action whose order's contact is missing; the order itself is read when it fires."""

    job_id: str
    order_id: str
    version: int
    """The version that its command made."""
    contact_version: int
    action: ActionRequest
    accepted_at: datetime
    until: datetime
    """The end of the hold window."""
    state: HoldState = HoldState.WAITING
    message: bytes | None = None
    """What is to be published, while it is `firing`."""
    unannounced: bool = False
    """Whether job and log may not know yet that it waits no more."""

    @property
    def waits(self) -> bool:
        return self.state is HoldState.WAITING


@dataclass(frozen=True, slots=True)
class RequestedAction:
    """An action that a command embedded, with the version that the command made."""

    version: int
    action: ActionRequest


@dataclass(frozen=True, slots=True)
class ReferenceFacts:
    """What is known of the contacts, articles and stores that a batch names."""

    contacts: Candidates
    articles: frozenset[str]
    stores: frozenset[str]
    keys: ContactKeys

    def contact_of(self, order: ContactKey) -> KnownContact | str:
        """Return the one contact that the order means, else why there is none."""
        return match_contact(order, self.contacts.get(self.keys.wanted(order), ()))

    def contact(self, contact_id: str) -> KnownContact:
        """Return a contact that was linked; without its language where it is gone."""
        found = self.contacts.get(id_key(contact_id), ())
        return next(iter(found), KnownContact(contact_id))


@dataclass(frozen=True, slots=True)
class HoldWindow:
    """How long an action is held for its contact, and what time it is."""

    now: datetime
    hold_for: timedelta


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be written and published; all of it bears being done again."""

    enrichment: Enrichment | None = None
    """Of the event's job; None where the event connects nothing."""
    action: Action | None = None
    log: tuple[Missing, ...] = ()
    """Entries of the integration log: code and reference."""
    link: ContactLink | None = None
    hold: HeldAction | None = None
    enriched: OrderEnriched | None = None
    fire: OrderAction | None = None

    @property
    def agreement(self) -> Commitment | None:
        """What is to be agreed on before any of it is done."""
        if self.action is None:
            return None
        return Commitment(self.action, self.fire.contact_id if self.fire else None)

    @property
    def lacks(self) -> bool:
        """Whether something is missing that may have come meanwhile."""
        waits = self.link is not None and bool(self.link.waits_for)
        return waits or self.enrichment is Enrichment.CONTACT_MISSING or self.action is Action.HELD


@dataclass(frozen=True, slots=True)
class DecidedEvent:
    """An event with what follows from it."""

    received: ReceivedEvent
    decision: Decision


NO_EFFECT: Final = Decision()
