"""
The history of a system without a fault: what it would have stored, announced and sent. Pure.

Made from a log of commands by the model, so that a test can spoil one thing and ask the laws.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from support.builders.bodies import Json
from support.history.history import History, ReceivedWebhook
from support.history.journal import Publication, RecordedCall
from support.history.log_record import COMMANDS_TOPIC, LogRecord
from support.laws.dead_letters import DLQ_PREFIX, DLQ_REASON
from support.laws.events import expected_announcement
from support.model.expected_outcomes import contact_key
from support.model.log_reader import derived_id
from support.model.model import REGISTER, REPLACE
from support.model.replay import ExpectedJob, Replay, replay

TOPIC_ID: Final = "topic-1"


class FaultlessHistory:
    """
    What a faultless system makes of *commands*, of which all are on one partition.

    Contacts were there before; *erased* says when some were erased, in milliseconds since 1970.
    """

    def __init__(
        self,
        commands: Sequence[LogRecord],
        contacts: Sequence[Json],
        articles: Sequence[str],
        erased: Mapping[str, int] | None = None,
    ) -> None:
        self._commands = commands
        self._contacts = {("ContactId", it["contactId"]): it["contactId"] for it in contacts}
        self._reference = {
            "reference.contacts": [(it["contactId"], it) for it in contacts],
            "reference.articles": [(sku, {"sku": sku}) for sku in articles],
        }
        self._erased = erased or {}
        self._replay: Replay = replay(commands, TOPIC_ID)

    def history(
        self, calls: Sequence[RecordedCall] = (), publications: Sequence[Publication] = ()
    ) -> History:
        jobs = list(self._replay.jobs.values())
        sent = [it for it in jobs if self._action(it) == "delivered"]
        actions = [(str(it.order_id), "OrderAction.v1", self._action_event(it)) for it in sent]
        deliveries = [
            (str(it.order_id), "ActionDelivered.v1", self._action_event(it)) for it in sent
        ]
        reference = {
            topic: _records(topic, [(key, "", it) for key, it in found])
            for topic, found in self._reference.items()
        }
        reference["reference.contacts"] += self._tombstones()
        return History(
            topic_id=TOPIC_ID,
            partitions=1,
            records={
                COMMANDS_TOPIC: self._commands,
                "orders.events": _records("orders.events", self._events(jobs)),
                "orders.enriched": _records("orders.enriched", self._enriched(jobs)),
                "orders.actions": _records("orders.actions", actions),
                "orders.deliveries": _records("orders.deliveries", deliveries),
                "orders.commands.dlq": list(self._dead_letters()),
                **reference,
            },
            documents={
                "jobs": [self._job(it) for it in jobs],
                "orders": list(self._orders()),
                "links": list(self._links()),
                "deliveries": [self._delivery(it) for it in sent],
                "integration_log": list(self._integration_log(jobs)),
                "idempotency": [
                    {"_id": key, "jobId": it.job_id} for key, it in self._replay.model.keys.items()
                ],
            },
            webhooks=[
                ReceivedWebhook(derived_id("action", it.job_id), 0.0, True, self._webhook(it))
                for it in sent
            ],
            calls=calls,
            publications=publications,
        )

    def _tombstones(self) -> list[LogRecord]:
        return [
            LogRecord("reference.contacts", 0, offset, at, contact_id.encode(), None, ())
            for offset, (contact_id, at) in enumerate(self._erased.items(), 1_000)
        ]

    def _job(self, job: ExpectedJob) -> Json:
        result, detail = job.result, ""
        if result.code == "OrderExists":
            order = job.step.after if job.step else None
            detail = f"job {order.registered_by if order else None} registered it"
        document = {
            "_id": job.job_id,
            "orderId": job.order_id,
            "operation": job.operation,
            "version": result.version,
            "failure": result.code
            and {"code": result.code, "status": result.status, "detail": detail},
            "action": result.action,
            "warnings": [{"code": code} for code in result.warnings],
            "aliasOf": result.alias_of,
            "undecoded": job.source.command is None or None,
            "enrichment": self._enrichment(job),
            "delivery": {"state": "delivered"} if self._action(job) == "delivered" else None,
        }
        return {name: it for name, it in document.items() if it is not None}

    def _contact_id(self, job: ExpectedJob) -> str | None:
        order = job.step.after if job.step else None
        return self._contacts.get(contact_key(order.content)) if order else None

    def _action(self, job: ExpectedJob) -> str | None:
        if job.result.action is None:
            return None
        return "delivered" if self._contact_id(job) else "held"

    def _enrichment(self, job: ExpectedJob) -> Json | None:
        if not _connects(job) and job.result.action is None:
            return None
        state = {"state": "done" if self._contact_id(job) else "contactMissing"}
        fired = {"delivered": "fired", "held": "held"}.get(self._action(job) or "")
        return state | ({"action": fired} if fired else {})

    def _orders(self) -> Iterator[Json]:
        model = self._replay.model
        for order_id in model.history:
            order, version = model.order(order_id), model.version(order_id)
            if order is None:
                yield {"_id": order_id, "version": version, "deletedAt": 0}
            else:
                job_id = next(
                    it
                    for it in model.jobs
                    if model.jobs[it].result.version == version
                    and model.jobs[it].command.order_id == order_id
                )
                yield {
                    "_id": order_id,
                    "version": version,
                    "contactVersion": order.contact_version,
                    "registeredBy": order.registered_by,
                    "jobId": job_id,
                    "order": order.content,
                }

    def _links(self) -> Iterator[Json]:
        for order_id in self._replay.model.history:
            if order := self._replay.model.order(order_id):
                contact_id = self._contacts.get(contact_key(order.content))
                yield {
                    "_id": order_id,
                    "contactVersion": order.contact_version,
                    "contactId": contact_id,
                }

    def _events(self, jobs: Sequence[ExpectedJob]) -> Iterator[tuple[str, str, Json]]:
        for job in jobs:
            kind, version, code, action = expected_announcement(job)
            order = job.step.after if job.step else None
            data = {
                "jobId": job.job_id,
                "orderId": job.order_id,
                "version": version,
                "orderVersion": order.version if order else version,
                "order": order.content | {"versionTag": order.version_tag} if order else None,
                "error": code and {"code": code},
                "action": action and {"action": action},
            }
            present = {name: it for name, it in data.items() if it is not None}
            yield str(job.order_id), str(kind), present

    def _enriched(self, jobs: Sequence[ExpectedJob]) -> Iterator[tuple[str, str, Json]]:
        for job in jobs:
            if _connects(job):
                data = self._action_event(job) | {"contactId": self._contact_id(job)}
                yield str(job.order_id), "OrderEnriched.v1", data

    def _action_event(self, job: ExpectedJob) -> Json:
        return {"jobId": job.job_id, "actionId": derived_id("action", job.job_id)}

    def _webhook(self, job: ExpectedJob) -> Json:
        action = job.result.action or {}
        order = {"orderId": job.order_id}
        return {"data": {"action": action["action"], "data": action.get("data"), "order": order}}

    def _delivery(self, job: ExpectedJob) -> Json:
        found = {"_id": derived_id("action", job.job_id), "state": "delivered", "attempts": [{}]}
        return found | {"orderId": job.order_id, "partition": 0, "offset": 0}

    def _integration_log(self, jobs: Sequence[ExpectedJob]) -> Iterator[Json]:
        for job in jobs:
            entry = {"jobId": job.job_id, "orderId": job.order_id}
            if job.source.command is None:
                yield entry | {"code": "CommandRejected"}
            elif _connects(job) and not self._contact_id(job):
                yield entry | {"code": "ContactMissing", "reference": "ContactId"}

    def _dead_letters(self) -> Iterator[LogRecord]:
        for item, _ in self._replay.jobs_by_record:
            if item.command is None:
                it = item.record
                reasons = {
                    f"{DLQ_PREFIX}topic": it.topic,
                    f"{DLQ_PREFIX}partition": str(it.partition),
                    f"{DLQ_PREFIX}offset": str(it.offset),
                    f"{DLQ_PREFIX}exception.class.name": "ValidationFailed",
                    DLQ_REASON: "It is no command.",
                }
                deliveries = tuple((name, text.encode()) for name, text in reasons.items())
                headers = it.headers + deliveries
                yield LogRecord(f"{it.topic}.dlq", 0, it.offset, it.at, it.key, it.value, headers)


def _connects(job: ExpectedJob) -> bool:
    return job.operation in {REGISTER, REPLACE} and job.result.version is not None


def _records(topic: str, messages: Any) -> list[LogRecord]:
    """Return (key, type, data) as records; the id of each is its type and its job."""
    return [
        LogRecord(
            topic,
            0,
            offset,
            0,
            key.encode(),
            json.dumps(data, default=float).encode(),
            (("ce_id", f"{kind}/{data.get('jobId')}".encode()), ("ce_type", kind.encode())),
        )
        for offset, (key, kind, data) in enumerate(messages)
    ]
