"""Indexes and derived views of a history, computed once for all laws. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from support.builders.bodies import Json
from support.builders.raw_records import COMMANDS_TOPIC
from support.history.history import History, ReceivedWebhook
from support.history.journal import RESTORE, UPGRADE
from support.history.log_record import LogRecord
from support.model.expected_outcomes import ExpectedOutcome, expected_outcome
from support.model.log_reader import GATEWAY_SOURCE, derived_id
from support.model.model import ModelOrder
from support.model.replay import ExpectedJob, Replay, replay

MATCH_KEYS: Final[Mapping[str, str]] = {
    "ContactId": "contactId",
    "Email": "email",
    "MobilePhone": "mobilePhone",
    "ExternalId": "externalId",
    "MemberNumber": "memberNumber",
    "SocialSecurityNumber": "socialSecurityNumber",
    "CardId": "cardId",
}
ContactKey = tuple[str, str]
"""A matchKeyType and a matchKey."""
ENRICHED_WITHIN: Final = 300_000
"""Milliseconds after which an order's enrichment has certainly been attempted."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A law that was broken, and how."""

    law: str
    message: str
    order_id: str | None = None
    job_id: str | None = None

    def __str__(self) -> str:
        return f"{self.law}: {self.message} (order {self.order_id}, job {self.job_id})"


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation without the name of its law."""

    message: str
    order_id: str | None = None
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class ContactHistory:
    """A contact over time; times are the log's, in milliseconds since 1970."""

    contact_id: str
    body: Json
    """The last version."""
    first_seen: int
    erased_at: int | None
    former_id: str | None = None
    """Its own contactId, where it was merged into the one that it counts as."""

    @property
    def keys(self) -> Iterator[ContactKey]:
        """Every (matchKeyType, matchKey) that identifies it."""
        return keys_of(self.body)


def keys_of(contact: Json) -> Iterator[ContactKey]:
    for kind, name in MATCH_KEYS.items():
        if contact.get(name):
            yield kind, contact[name]


def contact_history(contact_id: str, messages: Sequence[LogRecord]) -> ContactHistory | None:
    """Return the contact of these records; None if all are tombstones."""
    known, last = [it for it in messages if it.value is not None], messages[-1]
    if not known:
        return None
    erased_at = last.at if last.value is None else None
    return ContactHistory(contact_id, known[-1].json(), known[0].at, erased_at)


def merges_of(records: Iterable[LogRecord]) -> dict[str, str]:
    """Return the contactId that each merged contact was merged into last."""
    found: dict[str, str] = {}
    for it in records:
        into = it.json().get("mergedInto") if it.value is not None else None
        if into is not None and it.name is not None:
            found[it.name] = into
    return found


def survivor_id(contact_id: str, merges: Mapping[str, str], gone: Collection[str]) -> str:
    """Return whom a contact counts as; in a cycle the smallest id that is not *gone*."""
    chain = [contact_id]
    while (into := merges.get(chain[-1])) is not None and into not in chain:
        chain.append(into)
    if into is None:
        return chain[-1]
    cycle = chain[chain.index(into) :]
    return min((it for it in cycle if it not in gone), default=into)


def as_survivor(own: ContactHistory, survivor: ContactHistory | None, into: str) -> ContactHistory:
    """Return a merged contact as the one that it counts as; one that is gone has its id alone."""
    body = own.body if own.erased_at is None else {"contactId": own.contact_id}
    erased_at = survivor.erased_at if survivor else None
    return ContactHistory(into, body, own.first_seen, erased_at, former_id=own.contact_id)


@dataclass(frozen=True, slots=True)
class AnnouncedEvent:
    record: LogRecord
    id: str | None
    kind: str | None
    data: Json

    @property
    def job_id(self) -> str | None:
        return self.data.get("jobId")


def with_progress(job: Json, enrichment: Json | None, delivery: Json | None) -> Json:
    """
    Return a job with `enrichment` and `delivery` as fields, as earlier releases stored them.

    A delivery that was not sent yet tells nothing; one that was replayed is pending again.
    """
    found = dict(job)
    if enrichment is not None:
        found["enrichment"] = enrichment
    if delivery is not None and (delivery["state"] != "pending" or delivery.get("round")):
        found["delivery"] = delivery
    return found


@dataclass(frozen=True)
class Evidence:
    history: History

    @cached_property
    def replay(self) -> Replay:
        return replay(self.history.records.get(COMMANDS_TOPIC, ()), self.history.topic_id)

    @property
    def restored(self) -> bool:
        """Whether the database was restored to an earlier time."""
        return any(fault.name.startswith(RESTORE) for fault in self.history.faults)

    @property
    def upgraded_at(self) -> float:
        """When the last process of the release before was replaced; 0 where there was none."""
        upgrades = (it for it in self.history.faults if it.name.endswith(UPGRADE))
        return max((it.ended or math.inf for it in upgrades), default=0.0)

    @cached_property
    def jobs(self) -> dict[str, Json]:
        """The jobs, each with its enrichment and what became of its action's delivery."""
        enrichments = self._by_id("enrichments")
        return {
            job_id: with_progress(
                job, enrichments.get(job_id), self.deliveries.get(derived_id("action", job_id))
            )
            for job_id, job in self._by_id("jobs").items()
        }

    @cached_property
    def orders(self) -> dict[str, Json]:
        return self._by_id("orders")

    @cached_property
    def links(self) -> dict[str, Json]:
        return self._by_id("links")

    @cached_property
    def deliveries(self) -> dict[str, Json]:
        return self._by_id("deliveries")

    @cached_property
    def letters(self) -> dict[str, Json]:
        """The documents of dead letters."""
        return self._by_id("dead_letters")

    @cached_property
    def events(self) -> dict[str, list[AnnouncedEvent]]:
        """The events of `orders.events` by job, in the order of the log."""
        return group_by(self.events_on("orders.events"), lambda it: it.job_id or "")

    @cached_property
    def webhooks(self) -> dict[str, list[ReceivedWebhook]]:
        """The webhooks with a valid signature, by action, in the order of their arrival."""
        webhooks = sorted(self.history.webhooks, key=lambda it: it.at)
        return group_by((it for it in webhooks if it.verified), lambda it: it.id)

    @cached_property
    def integration_log(self) -> dict[str, list[Json]]:
        """The integration log by job."""
        return group_by(self.history.documents.get("integration_log", ()), lambda it: it["jobId"])

    @cached_property
    def gateway_records(self) -> dict[str, list[LogRecord]]:
        """The commands of the gateway, by the trace of their call."""
        ours = self.history.records.get(COMMANDS_TOPIC, ())
        issued = (it for it in ours if it.header("ce_source") == GATEWAY_SOURCE)
        return group_by(issued, lambda it: it.header("traceparent") or "")

    @cached_property
    def contact_histories(self) -> list[ContactHistory]:
        """All contacts that ever existed; an erased one isn't created again."""
        records = self.history.records.get("reference.contacts", ())
        messages = group_by(records, lambda it: it.name)
        found = {
            name: it
            for name, some in messages.items()
            if (it := contact_history(name, some)) is not None
        }
        merges, gone = merges_of(records), {it for it in found if found[it].erased_at is not None}
        survivors = {name: survivor_id(name, merges, gone) for name in found}
        return [
            it if survivors[name] == name else as_survivor(it, found.get(into), into)
            for name, it in found.items()
            if (into := survivors[name])
        ]

    @cached_property
    def carriers(self) -> dict[ContactKey, list[ContactHistory]]:
        """All contacts that ever carried a key, those that were erased among them."""
        found: defaultdict[ContactKey, list[ContactHistory]] = defaultdict(list)
        for it in self.contact_histories:
            for key in it.keys:
                found[key].append(it)
        return dict(found)

    def living_carriers(self, key: ContactKey) -> list[ContactHistory]:
        """Return the contacts that carry a key at the end; those that were merged once."""
        found = {it.contact_id: it for it in self.carriers.get(key, ()) if it.erased_at is None}
        return list(found.values())

    @cached_property
    def existing_contacts(self) -> dict[ContactKey, str]:
        """The ids of contacts that exist at the end, by a key that only one of them carries."""
        living = {key: self.living_carriers(key) for key in self.carriers}
        return {key: found[0].contact_id for key, found in living.items() if len(found) == 1}

    @cached_property
    def erased_contacts(self) -> dict[ContactKey, ContactHistory]:
        """The contact with a key that was erased last, by (matchKeyType, matchKey)."""
        erased = (it for it in self.contact_histories if it.erased_at is not None)
        in_order = sorted(erased, key=lambda it: it.erased_at or 0)
        return {key: it for it in in_order for key in it.keys}

    def is_ambiguous_until(self, key: ContactKey, at: int) -> bool:
        """Whether one carrier of a key was erased after *at*, and another one never was."""
        first = min((it.at for it in self.history.records.get(COMMANDS_TOPIC, ())), default=0)
        known = [it for it in self.carriers.get(key, ()) if it.first_seen <= first]
        erased = [it for it in known if it.erased_at is not None and it.erased_at >= at]
        return bool(erased) and any(it.erased_at is None for it in known)

    def late_contacts(self, job: ExpectedJob) -> set[ContactKey]:
        """
        Return the keys of contacts that may have come after this job's enrichment.

        Contacts from before the first command existed for every job.
        """
        first = min((it.at for it in self.history.records.get(COMMANDS_TOPIC, ())), default=0)
        first_seen = max(self._shown(job).source.record.at - ENRICHED_WITHIN, first)
        coming = (
            it
            for it in self.contact_histories
            if it.erased_at is None and it.first_seen > first_seen
        )
        merged = {key for key, at in self.keys_left_by_merges.items() if at > first_seen}
        unique_by_now = self.existing_contacts.keys() & (self.erased_contacts.keys() | merged)
        return {key for it in coming for key in it.keys} | unique_by_now

    @cached_property
    def keys_left_by_merges(self) -> dict[ContactKey, int]:
        """The keys that a merged contact shared with another one, each with the merge's time."""
        records = self.history.records.get("reference.contacts", ())
        values = [(it, it.json()) for it in records if it.value is not None]
        owners: defaultdict[ContactKey, set[str | None]] = defaultdict(set)
        for it, contact in values:
            for key in keys_of(contact):
                owners[key].add(it.name)
        return {
            key: it.at
            for it, contact in values
            if contact.get("mergedInto")
            for key in keys_of(contact)
            if len(owners[key]) > 1
        }

    @cached_property
    def articles(self) -> dict[str, Json]:
        return self.latest_by_key("reference.articles")

    @cached_property
    def stores(self) -> dict[str, Json]:
        return self.latest_by_key("reference.stores")

    def latest_by_key(self, topic: str) -> dict[str, Json]:
        """Return the last value of each key of a compacted topic, without deleted keys."""
        last = {it.name or "": it for it in self.history.records.get(topic, ())}
        return {key: it.json() for key, it in last.items() if it.value is not None}

    def events_on(self, topic: str) -> Iterator[AnnouncedEvent]:
        for record in self.history.records.get(topic, ()):
            yield AnnouncedEvent(
                record, record.header("ce_id"), record.header("ce_type"), record.json()
            )

    def ordered_jobs(self) -> Iterator[ExpectedJob]:
        """Yield the expected jobs in the order of the log, without those of unordered orders."""
        for job in self.replay.jobs.values():
            if job.order_id not in self.replay.unordered:
                yield job

    def jobs_with_documents(self) -> Iterator[tuple[ExpectedJob, Json]]:
        """Yield these jobs with their documents; another law reports missing ones."""
        for job in self.ordered_jobs():
            if job.job_id in self.jobs:
                yield job, self.jobs[job.job_id]

    def outcome_of(self, job: ExpectedJob) -> ExpectedOutcome:
        if job.job_id not in self._outcomes:
            late = self.late_contacts(job)
            certain = self.existing_contacts.keys() - late
            found = expected_outcome(
                self.replay.model, certain, job.job_id, late, self.erased_contacts.keys()
            )
            self._outcomes[job.job_id] = found
        return self._outcomes[job.job_id]

    def _shown(self, job: ExpectedJob) -> ExpectedJob:
        """Return the job itself, or the one that it is an alias of."""
        return self.replay.jobs.get(job.result.alias_of or "", job)

    @cached_property
    def _outcomes(self) -> dict[str, ExpectedOutcome]:
        return {}

    @cached_property
    def versions(self) -> dict[str, dict[int, ModelOrder | None]]:
        """Each order at each of its versions; None for a deletion."""
        return {
            order_id: {it.result.version: it.after for it in steps if it.result.version is not None}
            for order_id, steps in self.replay.model.history.items()
        }

    def action_id(self, job: ExpectedJob) -> str:
        return derived_id("action", job.job_id)

    def _by_id(self, collection: str) -> dict[str, Json]:
        return {it["_id"]: it for it in self.history.documents.get(collection, ())}


def group_by(items: Iterable[Any], key: Any) -> dict[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return dict(found)
