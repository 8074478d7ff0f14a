"""What a decision is made from, and what it says is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from enricher.matching import Candidates
from order_contracts.events import EventType, Missing, OrderAction, OrderEnriched, OrderEvent
from order_contracts.job import Action, Enrichment
from order_contracts.order import ActionRequest


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of an order as it was read."""

    kind: EventType
    event: OrderEvent
    accepted_at: datetime
    """When the command was accepted."""
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of an order that exists."""

    contact_version: int
    registered_by: str
    """The job that registered it: another one in each life of an orderId."""
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class Link:
    """
    What was found when the order was last registered or replaced.

    It counts while its `contact_version` is the order's.
    """

    order_id: str
    contact_version: int
    contact_id: str | None
    registered_at: datetime
    """Of the order, kept here so that a contact's orders are paged by one index."""
    missing: tuple[Missing, ...] = ()
    waits_for: tuple[str, ...] = ()
    """The keys whose arrival would mend it."""


@dataclass(frozen=True, slots=True)
class Held:
    """An action whose order's contact is missing; the order itself is read when it fires."""

    job_id: str
    order_id: str
    contact_version: int
    action: ActionRequest
    accepted_at: datetime
    until: datetime
    """The end of the hold window."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the contacts, articles and stores that a batch names."""

    contacts: Candidates
    articles: frozenset[str]
    stores: frozenset[str]


@dataclass(frozen=True, slots=True)
class Window:
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
    link: Link | None = None
    hold: Held | None = None
    enriched: OrderEnriched | None = None
    fire: OrderAction | None = None
    unlink: int | None = None
    """Links up to this version are of an order that is gone."""
    drop: int | None = None
    """Actions held at contact versions up to this one have lost their order."""


@dataclass(frozen=True, slots=True)
class Settled:
    """An event with what follows from it."""

    happened: Happened
    decision: Decision


NOTHING: Final = Decision()
