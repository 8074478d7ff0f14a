"""The history of a run as values: calls, publications, faults, records, documents. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from support.builders.bodies import Json
from support.history.journal import InjectedFault, Publication, RecordedCall
from support.history.log_record import LogRecord


@dataclass(frozen=True, slots=True)
class ReceivedWebhook:
    """A webhook as the receiver got it; `at` in seconds since 1970."""

    id: str
    at: float
    verified: bool
    body: Json

    @property
    def order_id(self) -> str:
        found: str = self.body["data"]["order"]["orderId"]
        return found


@dataclass(frozen=True, slots=True)
class History:
    topic_id: str
    """The broker's id of `orders.commands`, from which fallback job ids are derived."""
    partitions: int
    records: Mapping[str, Sequence[LogRecord]]
    """By topic, sorted by partition and offset."""
    documents: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    """By collection."""
    webhooks: Sequence[ReceivedWebhook] = ()
    calls: Sequence[RecordedCall] = ()
    publications: Sequence[Publication] = ()
    faults: Sequence[InjectedFault] = ()

    def of(self, order_ids: Collection[str]) -> History:
        """Return the history of these orders only, with all reference data."""
        wanted = set(order_ids)
        keys = {order_id.encode() for order_id in wanted}
        documents = {
            name: [it for it in found if it.get("_id" if name in BY_ID else "orderId") in wanted]
            for name, found in self.documents.items()
        }
        jobs = {it["_id"] for it in documents.get("jobs", ())}
        claims = self.documents.get("idempotency", ())
        agreements = self.documents.get("agreements", ())
        of_jobs = {
            "idempotency": [it for it in claims if it["jobId"] in jobs],
            "agreements": [it for it in agreements if it["_id"] in jobs],
        }
        return replace(
            self,
            records={
                topic: found
                if topic.startswith("reference.")
                else [it for it in found if it.key in keys]
                for topic, found in self.records.items()
            },
            documents=documents | of_jobs,
            webhooks=[it for it in self.webhooks if it.order_id in wanted],
            calls=[it for it in self.calls if wanted.issuperset(it.order_ids)],
            publications=[it for it in self.publications if it.key in keys],
        )


BY_ID: Final = frozenset({"orders", "links"})
