"""A history, looked at from where each law needs it; worked out once. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from support.builders import Json
from support.fates import Fate, fate
from support.history import History, Hook
from support.model import Stored
from support.records import Record
from support.replay import Expected, Replay, replayed
from support.topics import COMMANDS
from support.wire import GATEWAY, derived

MATCH_KEYS: Final[Mapping[str, str]] = {
    "ContactId": "contactId",
    "Email": "email",
    "MobilePhone": "mobilePhone",
    "ExternalId": "externalId",
    "MemberNumber": "memberNumber",
    "SocialSecurityNumber": "socialSecurityNumber",
    "CardId": "cardId",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """A law that was broken, and what shows it."""

    law: str
    said: str
    order_id: str | None = None
    job_id: str | None = None

    def __str__(self) -> str:
        return f"{self.law}: {self.said} (order {self.order_id}, job {self.job_id})"


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation before it is known which law found it."""

    said: str
    order_id: str | None = None
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    record: Record
    id: str | None
    kind: str | None
    data: Json

    @property
    def job_id(self) -> str | None:
        return self.data.get("jobId")


@dataclass(frozen=True)
class Evidence:
    history: History

    @cached_property
    def replay(self) -> Replay:
        return replayed(self.history.records.get(COMMANDS, ()), self.history.topic_id)

    @cached_property
    def jobs(self) -> dict[str, Json]:
        return self._by_id("jobs")

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
    def events(self) -> dict[str, list[Event]]:
        """The announced outcomes by job, in the order of the log."""
        return grouped(self.announced("orders.events"), lambda it: it.job_id or "")

    @cached_property
    def hooks(self) -> dict[str, list[Hook]]:
        """The webhooks whose signature was right, by action, in the order they came."""
        hooks = sorted(self.history.hooks, key=lambda it: it.at)
        return grouped((it for it in hooks if it.verified), lambda it: it.id)

    @cached_property
    def log(self) -> dict[str, list[Json]]:
        """The integration log by job."""
        return grouped(self.history.documents.get("integration_log", ()), lambda it: it["jobId"])

    @cached_property
    def commands(self) -> dict[str, list[Record]]:
        """The records of our gateway by the trace of the call that they come from."""
        ours = self.history.records.get(COMMANDS, ())
        issued = (it for it in ours if it.header("ce_source") == GATEWAY)
        return grouped(issued, lambda it: it.header("traceparent") or "")

    @cached_property
    def contacts(self) -> dict[tuple[str, str], str]:
        """The contacts that exist in the end: their ids by (matchKeyType, matchKey)."""
        return {
            (kind, contact[name]): contact["contactId"]
            for contact in self.known("reference.contacts").values()
            for kind, name in MATCH_KEYS.items()
            if contact.get(name)
        }

    @cached_property
    def articles(self) -> dict[str, Json]:
        return self.known("reference.articles")

    @cached_property
    def stores(self) -> dict[str, Json]:
        return self.known("reference.stores")

    def known(self, topic: str) -> dict[str, Json]:
        """Return what a compacted topic says last, by key."""
        last = {it.name or "": it for it in self.history.records.get(topic, ())}
        return {key: it.json() for key, it in last.items() if it.value is not None}

    def announced(self, topic: str) -> Iterator[Event]:
        for record in self.history.records.get(topic, ()):
            yield Event(record, record.header("ce_id"), record.header("ce_type"), record.json())

    def expected(self) -> Iterator[Expected]:
        """Give every job that there must be whose end the model knows, in the order of the log."""
        for job in self.replay.jobs.values():
            if job.order_id not in self.replay.unordered:
                yield job

    def both(self) -> Iterator[tuple[Expected, Json]]:
        """Give these jobs together with their documents; a missing one is another law's affair."""
        for job in self.expected():
            if job.job_id in self.jobs:
                yield job, self.jobs[job.job_id]

    def fate(self, job: Expected) -> Fate:
        if job.job_id not in self._fates:
            self._fates[job.job_id] = fate(self.replay.model, self.contacts, job.job_id)
        return self._fates[job.job_id]

    @cached_property
    def _fates(self) -> dict[str, Fate]:
        return {}

    @cached_property
    def versions(self) -> dict[str, dict[int, Stored | None]]:
        """What each order was at each of its versions, None where it was deleted."""
        return {
            order_id: {it.end.version: it.after for it in steps if it.end.version is not None}
            for order_id, steps in self.replay.model.history.items()
        }

    def action_of(self, job: Expected) -> str:
        return derived("action", job.job_id)

    def _by_id(self, collection: str) -> dict[str, Json]:
        return {it["_id"]: it for it in self.history.documents.get(collection, ())}


def grouped(items: Iterable[Any], key: Any) -> dict[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return dict(found)
