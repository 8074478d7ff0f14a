"""
The history of a system without a fault: what it would have stored, announced and sent. Pure.

Made from a log of commands by the model, so that a test can spoil one thing and ask the laws.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from support.builders.bodies import Json
from support.laws.dead_letters import PREFIX, REASON
from support.laws.events import expected_meaning
from support.laws.history import History, Hook
from support.laws.records import Record
from support.load.journal import Call, Publication
from support.model.expected_outcomes import contact_of
from support.model.log_reader import derived
from support.model.model import REGISTER, REPLACE
from support.model.replay import Expected, Replay, replayed
from support.stack.topics import COMMANDS

TOPIC_ID: Final = "topic-1"


class FaultlessHistory:
    """
    What a faultless system makes of *commands*, of which all are on one partition.

    Contacts were there before; *erased* says when some were erased, in milliseconds since 1970.
    """

    def __init__(
        self,
        commands: Sequence[Record],
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
        self._replay: Replay = replayed(commands, TOPIC_ID)

    def history(
        self, calls: Sequence[Call] = (), publications: Sequence[Publication] = ()
    ) -> History:
        jobs = list(self._replay.jobs.values())
        sent = [it for it in jobs if self._action(it) == "delivered"]
        actions = [(str(it.order_id), "OrderAction.v1", self._told(it)) for it in sent]
        told = [(str(it.order_id), "ActionDelivered.v1", self._told(it)) for it in sent]
        reference = {
            topic: _records(topic, [(key, "", it) for key, it in found])
            for topic, found in self._reference.items()
        }
        reference["reference.contacts"] += self._tombstones()
        return History(
            topic_id=TOPIC_ID,
            partitions=1,
            records={
                COMMANDS: self._commands,
                "orders.events": _records("orders.events", self._events(jobs)),
                "orders.enriched": _records("orders.enriched", self._enriched(jobs)),
                "orders.actions": _records("orders.actions", actions),
                "orders.deliveries": _records("orders.deliveries", told),
                "orders.commands.dlq": list(self._letters()),
                **reference,
            },
            documents={
                "jobs": [self._job(it) for it in jobs],
                "orders": list(self._orders()),
                "links": list(self._links()),
                "deliveries": [self._delivery(it) for it in sent],
                "integration_log": list(self._log(jobs)),
                "idempotency": [
                    {"_id": key, "jobId": it.job_id} for key, it in self._replay.model.keys.items()
                ],
            },
            hooks=[Hook(derived("action", it.job_id), 0.0, True, self._hook(it)) for it in sent],
            calls=calls,
            publications=publications,
        )

    def _tombstones(self) -> list[Record]:
        return [
            Record("reference.contacts", 0, offset, at, contact_id.encode(), None, ())
            for offset, (contact_id, at) in enumerate(self._erased.items(), 1_000)
        ]

    def _job(self, job: Expected) -> Json:
        end, detail = job.end, ""
        if end.code == "OrderExists":
            order = job.step.after if job.step else None
            detail = f"job {order.owner if order else None} registered it"
        document = {
            "_id": job.job_id,
            "orderId": job.order_id,
            "operation": job.operation,
            "version": end.version,
            "failure": end.code and {"code": end.code, "status": end.status, "detail": detail},
            "action": end.action,
            "warnings": [{"code": code} for code in end.warnings],
            "aliasOf": end.alias_of,
            "undecoded": job.read.command is None or None,
            "enrichment": self._enrichment(job),
            "delivery": {"state": "delivered"} if self._action(job) == "delivered" else None,
        }
        return {name: it for name, it in document.items() if it is not None}

    def _known(self, job: Expected) -> str | None:
        order = job.step.after if job.step else None
        return self._contacts.get(contact_of(order.content)) if order else None

    def _action(self, job: Expected) -> str | None:
        if job.end.action is None:
            return None
        return "delivered" if self._known(job) else "held"

    def _enrichment(self, job: Expected) -> Json | None:
        if not _connects(job) and job.end.action is None:
            return None
        state = {"state": "done" if self._known(job) else "contactMissing"}
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
                    if model.jobs[it].end.version == version
                    and model.jobs[it].command.order_id == order_id
                )
                yield {
                    "_id": order_id,
                    "version": version,
                    "contactVersion": order.connected,
                    "registeredBy": order.owner,
                    "jobId": job_id,
                    "order": order.content,
                }

    def _links(self) -> Iterator[Json]:
        for order_id in self._replay.model.history:
            if order := self._replay.model.order(order_id):
                contact_id = self._contacts.get(contact_of(order.content))
                yield {
                    "_id": order_id,
                    "contactVersion": order.connected,
                    "contactId": contact_id,
                }

    def _events(self, jobs: Sequence[Expected]) -> Iterator[tuple[str, str, Json]]:
        for job in jobs:
            kind, version, code, action = expected_meaning(job)
            order = job.step.after if job.step else None
            data = {
                "jobId": job.job_id,
                "orderId": job.order_id,
                "version": version,
                "orderVersion": order.version if order else version,
                "order": order.content | {"versionTag": order.tag} if order else None,
                "error": code and {"code": code},
                "action": action and {"action": action},
            }
            present = {name: it for name, it in data.items() if it is not None}
            yield str(job.order_id), str(kind), present

    def _enriched(self, jobs: Sequence[Expected]) -> Iterator[tuple[str, str, Json]]:
        for job in jobs:
            if _connects(job):
                data = self._told(job) | {"contactId": self._known(job)}
                yield str(job.order_id), "OrderEnriched.v1", data

    def _told(self, job: Expected) -> Json:
        return {"jobId": job.job_id, "actionId": derived("action", job.job_id)}

    def _hook(self, job: Expected) -> Json:
        action = job.end.action or {}
        order = {"orderId": job.order_id}
        return {"data": {"action": action["action"], "data": action.get("data"), "order": order}}

    def _delivery(self, job: Expected) -> Json:
        found = {"_id": derived("action", job.job_id), "state": "delivered", "attempts": [{}]}
        return found | {"orderId": job.order_id, "partition": 0, "offset": 0}

    def _log(self, jobs: Sequence[Expected]) -> Iterator[Json]:
        for job in jobs:
            entry = {"jobId": job.job_id, "orderId": job.order_id}
            if job.read.command is None:
                yield entry | {"code": "CommandRejected"}
            elif _connects(job) and not self._known(job):
                yield entry | {"code": "ContactMissing", "reference": "ContactId"}

    def _letters(self) -> Iterator[Record]:
        for item, _ in self._replay.answers:
            if item.command is None:
                it = item.record
                why = {
                    f"{PREFIX}topic": it.topic,
                    f"{PREFIX}partition": str(it.partition),
                    f"{PREFIX}offset": str(it.offset),
                    f"{PREFIX}exception.class.name": "ValidationFailed",
                    REASON: "It is no command.",
                }
                told = tuple((name, text.encode()) for name, text in why.items())
                headers = it.headers + told
                yield Record(f"{it.topic}.dlq", 0, it.offset, it.at, it.key, it.value, headers)


def _connects(job: Expected) -> bool:
    return job.operation in {REGISTER, REPLACE} and job.end.version is not None


def _records(topic: str, messages: Any) -> list[Record]:
    """Return (key, type, data) as records; the id of each is its type and its job."""
    return [
        Record(
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
