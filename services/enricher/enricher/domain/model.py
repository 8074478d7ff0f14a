"""The values that decisions are made from, and the decision itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from enricher.domain.announced import AnnouncedEvent
from enricher.domain.fired_action import FiredAction
from order_contracts.events import EventType, Missing
from order_contracts.integration_log import DropReason
from order_contracts.job import Action, Enrichment
from order_contracts.order import ActionRequest, ContactKey

LINKING: Final = frozenset({EventType.REGISTERED, EventType.REPLACED})
"""Events after which the order gets a new link."""
ACTING: Final = frozenset(
    {EventType.STATUS_CHANGED, EventType.DELIVERY_CHANGED, EventType.ACTION_REQUESTED}
)
"""Events that leave the link as it is, and may carry an action."""
ENRICHABLE: Final = LINKING | ACTING


@dataclass(frozen=True, slots=True)
class Commitment:
    """How an action ends, recorded on its job before anything is done; the first one is binding."""

    end: Action
    contact_id: str | None = None
    """The contact that it is fired for; None unless it is fired."""
    reason: DropReason | None = field(default=None, compare=False)
    """Why it is dropped; None unless it is, and where a release before this one dropped it."""


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event of an order as it was read from its topic."""

    kind: EventType
    event: AnnouncedEvent
    accepted_at: datetime
    """When the command was accepted."""
    traceparent: str | None = None
    place: tuple[int, int] | None = None
    """Partition and offset of its record; None where it is made again of what is stored."""
    commitment: Commitment | None = None
    """The commitment found on its job: another worker may have carried it out already."""


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """What the enricher reads of an order that exists."""

    version: int
    contact_version: int
    """The version at which it was last registered or replaced."""
    contact_since: int
    """The version at which it got its contact; replacements for the same contact keep it."""
    contact_since_at: datetime
    """When that command was accepted."""
    registered_by: str
    """The job that registered it: another one after each deletion of the orderId."""
    registered_at: datetime
    contact: ContactKey
    cancelled_since: int | None = None
    """The version that cancelled it; None while it is not cancelled."""


@dataclass(frozen=True, slots=True)
class OrderLifetime:
    """The versions of an order that belong to one contact: until it is replaced for another."""

    order_id: str
    registered_by: str
    """The job that registered it."""
    contact_since: int
    """The version at which it got its contact."""
    contact_version: int
    """The version at which it was last registered or replaced, when it was read."""


@dataclass(frozen=True, slots=True)
class ContactLink:
    """
    The contact of an order and what the order lacks, as of its last registration or replacement.

    It is current while its `contact_version` is the order's.
    """

    order_id: str
    job_id: str
    """The job that registered or replaced it."""
    contact_version: int
    contact_id: str | None
    registered_at: datetime
    """Of the order, repeated here so that one index pages through a contact's orders."""
    missing: tuple[Missing, ...] = ()
    waits_for: tuple[str, ...] = ()
    """For each of `missing`, in its order, the key of the reference that would heal it."""
    named_articles: int | None = None
    """
    How many of the missing articles, the first ones, have an entry of their own in the log.

    None: all. Else one more entry stands for the others.
    """
    withheld_until: datetime | None = None
    """Actions accepted up to then aren't fired: they may have been meant for an erased contact."""
    traceparent: str | None = field(default=None, compare=False)
    """The trace of its job, kept while something is missing: what heals it belongs there."""

    def withholds(self, accepted_at: datetime) -> bool:
        return self.withheld_until is not None and accepted_at <= self.withheld_until


class HoldState(StrEnum):
    """The state of a held action; it leaves `waiting` once, by compare-and-set."""

    WAITING = "waiting"
    FIRING = "firing"  # decided; published until job and log record that it fired
    FIRED = "fired"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class HeldAction:
    """An action whose order has no contact yet; the order itself is read when it fires."""

    job_id: str
    order_id: str
    version: int
    """The version that its command made."""
    contact_version: int
    """The version at which its order was last registered or replaced; 0 if unknown."""
    action: ActionRequest
    accepted_at: datetime
    until: datetime
    """The end of the hold window."""
    state: HoldState = HoldState.WAITING
    reason: DropReason | None = None
    """Why it was dropped; None as in `Commitment`."""
    message: bytes | None = None
    """What is to be published, while it is `firing`."""
    traceparent: str | None = None
    """The trace of its job."""
    unannounced: bool = False
    """Whether it ended, and may not be recorded on its job and in the log yet."""

    @property
    def waits(self) -> bool:
        return self.state is HoldState.WAITING


@dataclass(frozen=True, slots=True)
class RequestedAction:
    """An action that a command embedded, with the version that the command made."""

    version: int
    action: ActionRequest


@dataclass(frozen=True, slots=True)
class HoldWindow:
    """For how long an action is held for its contact, and the present time."""

    now: datetime
    hold_for: timedelta


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be written and published for one event; repeating any of it changes nothing."""

    enrichment: Enrichment | None = None
    """The enrichment of the event's job; None where the event is not enriched."""
    action: Action | None = None
    dropped: DropReason | None = None
    """Why the action is dropped; None also for an action whose job fails, which says why."""
    log: tuple[Missing, ...] = ()
    """Entries of the integration log: code and reference."""
    unnamed_articles: int = 0
    """Missing articles without an entry of their own: one more entry says how many."""
    link: ContactLink | None = None
    """The new link; None where the order keeps the one it has."""
    hold: HeldAction | None = None
    enriched: ContactLink | None = None
    """The link to announce, new or as it was decided before."""
    fire: FiredAction | None = None

    @property
    def commitment(self) -> Commitment | None:
        """What to commit to before any of it is done; None without an action."""
        if self.action is None:
            return None
        contact_id = self.fire.contact_id if self.fire else None
        return Commitment(self.action, contact_id, self.dropped)

    @property
    def incomplete(self) -> bool:
        """Whether something is missing that may have arrived since the facts were read."""
        waits = self.link is not None and bool(self.link.waits_for)
        return waits or self.enrichment is Enrichment.CONTACT_MISSING or self.action is Action.HELD


@dataclass(frozen=True, slots=True)
class DecidedEvent:
    """An event with its decision."""

    received: ReceivedEvent
    decision: Decision


NO_EFFECT: Final = Decision()
