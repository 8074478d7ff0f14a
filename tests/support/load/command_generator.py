"""
Generates random commands by seed, valid and invalid, as shops and publishers send them.

It only has its own random state, and the job ids that `note_job` tells it, of which it derives
versionTags.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from support.builders.bodies import Json, order_body
from support.builders.raw_records import RawRecord
from support.load.command_encoders import raw_record_of
from support.model.model import (
    ACTION,
    DELETE,
    DELIVERY,
    REGISTER,
    REPLACE,
    STATUS,
    ModelCommand,
    tag_of,
)

KINDS: Final = {REGISTER: 6, REPLACE: 4, STATUS: 5, DELIVERY: 4, DELETE: 2, ACTION: 3}
KNOWN_SHARE: Final = 0.8  # share of orders whose contact exists
TRANSIENT_SHARE: Final = 0.4  # share of these with a contact that arrives or is erased
ACTION_SHARE: Final = 0.4  # share of commands with an action, if they can have one
REMEMBERED: Final = 50


class CommandGenerator:
    """
    Generates commands on a fixed set of orders.

    *misrouted* are further orders; all commands of one go to one partition, not that of its key.
    *transient* are contacts that arrive or are erased during the load. *agreed* leaves out what
    earlier releases read in another way: structured mode, and times without milliseconds.
    """

    def __init__(
        self,
        rng: Random,
        order_ids: Sequence[str],
        contacts: Sequence[Json],
        misrouted: Sequence[str] = (),
        transient: Sequence[Json] = (),
        agreed: bool = False,
    ) -> None:
        self._rng = rng
        self._agreed = agreed
        self._orders = order_ids
        self._contacts = contacts
        self._astray = misrouted
        self._passing = transient
        self._jobs: dict[str, list[str]] = {}
        self._sent: list[ModelCommand] = []

    def note_job(self, order_id: str, job_id: str) -> None:
        """Remember a job of the order that was accepted."""
        self._jobs.setdefault(order_id, []).append(job_id)

    def command(self, order_id: str | None = None, kind: str | None = None) -> ModelCommand:
        """Return a new command for the API: without a job id, perhaps with an Idempotency-Key."""
        order_id = order_id or self._rng.choice(self._orders)
        kind = kind or self._rng.choices(list(KINDS), list(KINDS.values()))[0]
        conditional = kind not in {REGISTER, ACTION} and self._rng.random() < 0.2
        return ModelCommand(
            kind=kind,
            order_id=order_id,
            job_id="",
            body=self._body(kind, order_id),
            if_match=self._rng.choice(["*", f'"{self._tag(order_id)}"']) if conditional else None,
            key=self._id() if self._rng.random() < 0.4 else None,
        )

    def registrations(self, count: int) -> list[ModelCommand]:
        """Return the rows of a bulk request, each of another order."""
        chosen = self._rng.sample(list(self._orders), min(count, len(self._orders)))
        return [replace(self.command(it, REGISTER), key=None) for it in chosen]

    def next_record(self) -> RawRecord:
        """Return a publisher's record: mostly valid, sometimes repeated or invalid."""
        chance = self._rng.random()
        if chance < 0.06:
            return self._bad()
        if chance < 0.10 and self._astray:
            order_id = self._rng.choice(self._astray)
            return replace(
                raw_record_of(self._own(order_id)), partition=self._astray.index(order_id)
            )
        command = self._again() if chance < 0.25 and self._sent else self._own()
        if command.job_id:
            self._remember(command)
        return raw_record_of(command).with_headers(self._extra())

    def _own(self, order_id: str | None = None) -> ModelCommand:
        """Return a publisher's new command, sometimes without an id or with actions suppressed."""
        command = self.command(order_id)
        job_id = "" if self._rng.random() < 0.05 else self._id()
        self.note_job(command.order_id, job_id or "unknown")
        return replace(command, job_id=job_id, suppressed=self._rng.random() < 0.15)

    def _again(self) -> ModelCommand:
        """Return a previous command, repeated, under another id, or with other content."""
        first = self._rng.choice(self._sent)
        match self._rng.randrange(4):
            case 0:
                return replace(self.command(first.order_id), job_id=first.job_id, key=None)
            case 1 if first.key is not None:
                return replace(first, job_id=self._id())
            case _:
                return first

    def _remember(self, command: ModelCommand) -> None:
        self._sent = [*self._sent[-REMEMBERED:], command]

    def _bad(self) -> RawRecord:
        """Return an invalid record with the key of an order."""
        good = raw_record_of(self._own())
        empty = {"orderId": good.key}
        values = [b"{not json", None, b"", b"[]", json.dumps({"orderId": "another"}).encode()]
        headers: list[dict[str, str | bytes]] = [
            {"ce_type": ""},
            {"ce_type": "PaintOrder.v1"},
            {"ce_type": "RegisterOrder.v9"},
            {"ce_source": b"\xff\xfe"},
            {"ce_actions": "supress"},
        ]
        if not self._agreed:
            headers.append({"content-type": "application/cloudevents+json"})
        if self._rng.random() < 0.4:
            return replace(good, value=self._rng.choice(values))
        if self._rng.random() < 0.2:
            registers = {"ce_type": f"{REGISTER}.v1", "ce_id": self._id()}
            value = json.dumps(empty).encode()
            return replace(good, value=value).with_headers(registers)
        return good.with_headers(self._rng.choice(headers))

    def _extra(self) -> dict[str, str | bytes]:
        """Return headers without effect: a wrong ce_time, an unknown header."""
        return self._rng.choice(
            [
                {},
                {"content-type": "application/json; charset=utf-8"},
                {"ce_time": f"2025-11-28T{self._rng.randrange(24):02}:00:00Z"},
                {"X-Ours": b"\xff"},
            ]
        )

    def _body(self, kind: str, order_id: str) -> Json:
        match kind:
            case "DeleteOrder":
                return {}
            case "TriggerOrderAction":
                return {"action": "ConfirmShipment", "versionTag": self._tag(order_id)}
            case "ChangeOrderStatus":
                status = self._rng.choice(["InProgress", "Completed", "Cancelled"])
                body: Json = {"status": status, "externalStatus": "packed"}
            case "ChangeOrderDelivery":
                number = self._rng.choice([None, "1", "2"])
                body = {"delivery": {"method": "Post", "trackingNumber": number}}
            case _:
                body = order_body(order_id, contact=self._contact(order_id))
                body |= {"totalPrice": 77} if self._rng.random() < 0.1 else {}
        if kind in {STATUS, DELIVERY} or self._rng.random() < 0.3:
            seconds = "00.000" if self._agreed else "00"
            body |= {"lastChangedAt": f"2025-11-28T10:{self._rng.randrange(60):02}:{seconds}Z"}
        acts = self._rng.random() < ACTION_SHARE
        return body | ({"orderAction": {"action": "Custom", "data": {"n": 1.5}}} if acts else {})

    def _contact(self, order_id: str) -> Json:
        if self._contacts and self._rng.random() < KNOWN_SHARE:
            if self._passing and self._rng.random() < TRANSIENT_SHARE:
                return self._rng.choice(self._passing)
            return self._rng.choice(self._contacts)
        return {"matchKey": f"nobody-{order_id}", "matchKeyType": "Email"}

    def _tag(self, order_id: str) -> str:
        """Return the versionTag of one of the order's versions, most likely the last."""
        jobs = self._jobs.get(order_id, ["nothing"])
        return tag_of(jobs[-1] if self._rng.random() < 0.8 else self._rng.choice(jobs))

    def _id(self) -> str:
        """Return a new id; it is the same for the same seed and orders."""
        return str(uuid5(NAMESPACE_OID, f"{self._orders[0]}/{self._rng.getrandbits(128)}"))
