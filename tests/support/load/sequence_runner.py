"""Plays a sequence of moves on a real stack, and on the model beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from confluent_kafka import Producer

from support.builders.bodies import Json, order_body, unique
from support.history.log_record import COMMANDS_TOPIC
from support.load.command_encoders import http_request, raw_record_of
from support.load.command_sequences import ORDERS, PlannedCommand, Repetition, TagChoice
from support.model.expected_outcomes import Contacts, lacks_contact
from support.model.model import (
    ACTION,
    DELETE,
    DELIVERY,
    REGISTER,
    STATUS,
    ModelCommand,
    ModelOrder,
    OrderModel,
    tag_of,
)
from support.stack.async_api_client import ApiResponse, AsyncApiClient


@dataclass
class SequenceRunner:
    """
    Sends its moves one after another, so that their order in the log is known.

    What the gateway answers at once depends on how much of it is stored by then: `seen` holds
    every state that it may see of an order.
    """

    calls: AsyncApiClient
    producer: Producer
    contacts: Contacts
    contact: Json
    model: OrderModel = field(default_factory=OrderModel)
    order_ids: Sequence[str] = field(
        default_factory=lambda: [unique("model") for _ in range(ORDERS)]
    )
    seen: dict[str, list[ModelOrder | None]] = field(default_factory=dict)
    sent: list[tuple[PlannedCommand, ModelCommand]] = field(default_factory=list)
    reused: dict[str, int] = field(default_factory=dict)
    """How many commands of an order came under the id of another one."""
    said: list[str] = field(default_factory=list)
    """What was sent and how it was answered, for whoever has to find out why."""
    jobs: dict[str, Json] = field(default_factory=dict)
    """The jobs as they are at rest."""

    async def play(self, moves: Sequence[PlannedCommand]) -> None:
        for number, move in enumerate(moves):
            way, command = self._command(move, number)
            self.sent.append((way, command))
            if way.direct:
                await self._publish(way, command)
            else:
                await self._ask(way, command)

    def _command(self, move: PlannedCommand, number: int) -> tuple[PlannedCommand, ModelCommand]:
        """Return the command of a move, and the way it goes: a repeat goes that of the first."""
        before = [
            it for it in self.sent if move.again is Repetition.SAME or it[1].key or it[0].direct
        ]
        if move.again is Repetition.NO or not before:
            return move, self._new(move, number)
        way, first = before[number % len(before)]
        way = replace(way, waits=move.waits)
        # A direct publisher may repeat itself by the job id, or by its Idempotency-Key.
        by_key = way.direct and first.key is not None and move.keyed
        job_id = str(uuid4()) if by_key else first.job_id
        if move.again is Repetition.SAME:
            return way, replace(first, job_id=job_id)
        other = self._new(replace(move, direct=way.direct), number)
        key = first.key if by_key or not way.direct else None
        return way, replace(other, job_id=job_id, key=key)

    def _new(self, move: PlannedCommand, number: int) -> ModelCommand:
        order_id = self.order_ids[move.order]
        key = f"{'kafka' if move.direct else 'http'}/{order_id}/{number}"
        return ModelCommand(
            kind=move.kind,
            order_id=order_id,
            job_id=str(uuid4()) if move.direct else "",
            body=self._body(move, order_id),
            if_match=self._if_match(move, order_id),
            key=key if move.keyed else None,
            suppressed=move.suppressed and move.direct,
        )

    def _body(self, move: PlannedCommand, order_id: str) -> Json:
        if move.kind == DELETE:
            return {}
        if move.kind == ACTION:
            return {"action": "ConfirmOrder", "versionTag": self._tag(move.version_tag, order_id)}
        partial = move.kind in {STATUS, DELIVERY}
        minute = 1 if partial and move.minute is None else move.minute
        body = self._change(move) if partial else self._whole(move, order_id)
        body |= {} if minute is None else {"lastChangedAt": f"2025-11-28T10:0{minute}:00Z"}
        return body | (
            {"orderAction": {"action": "Custom", "data": {"n": 1.5}}} if move.acts else {}
        )

    def _change(self, move: PlannedCommand) -> Json:
        if move.kind == STATUS:
            return {"status": "Completed"} | ({"externalStatus": "packed"} if move.odd else {})
        given = {"method": None} if move.odd else {"method": "Post", "trackingNumber": "1"}
        return {"delivery": given}

    def _whole(self, move: PlannedCommand, order_id: str) -> Json:
        contact = self.contact if move.known_contact else _unknown(order_id)
        return order_body(order_id, contact=contact) | ({"totalPrice": 77} if move.odd else {})

    def _if_match(self, move: PlannedCommand, order_id: str) -> str | None:
        version_tag = self._tag(move.version_tag, order_id)
        if move.version_tag is None or move.kind in {REGISTER, ACTION}:
            return None
        forms = {
            TagChoice.LISTED: f'"x", "{version_tag}"',
            TagChoice.WEAK: f'W/"{version_tag}"',
            TagChoice.ANY: "*",
        }
        return forms.get(move.version_tag, f'"{version_tag}"')

    def _tag(self, version_tag: TagChoice | None, order_id: str) -> str:
        order, steps = self.model.order(order_id), self.model.history.get(order_id)
        if order is None or (version_tag is TagChoice.FIRST and steps):
            return tag_of(steps[0].command.job_id if steps else "nothing")
        return order.version_tag

    async def _publish(self, way: PlannedCommand, command: ModelCommand) -> None:
        record = raw_record_of(command)
        self.producer.produce(
            COMMANDS_TOPIC, key=record.key, value=record.value, headers=list(record.pairs)
        )
        self.said.append(f"Kafka {command}")
        assert await asyncio.to_thread(self.producer.flush, 30) == 0
        self._apply(command)
        if way.waits:
            await self.calls.settled([command.job_id])
            self._stored(command.order_id)

    async def _ask(self, way: PlannedCommand, command: ModelCommand) -> None:
        asked = http_request(command, wait=30 if way.waits else None)
        answer = await self.calls(asked.method, asked.path, asked.body, asked.headers)
        self.said.append(f"HTTP {command} {answer.status} {answer.body.get('jobId')}")
        job = answer.body.get("job") or (answer.body if answer.status in {200, 202} else None)
        if job is None:
            self._refused(answer, command)
        else:
            self._accepted(job["jobId"], command, waited=answer.status != 202)

    def _accepted(self, job_id: str, command: ModelCommand, *, waited: bool) -> None:
        first = self.model.keys.get(command.key or "")
        if job_id in self.model.jobs:
            assert first is not None
            assert (first.job_id, first.fingerprint) == (job_id, command.fingerprint)
            return
        seen = self._seen(command.order_id)
        if command.kind == REGISTER:
            assert first is not None or None in seen, "accepted although the order exists"
        if command.kind == ACTION and first is None:
            version_tag = command.body["versionTag"]
            assert any(it is not None and it.version_tag == version_tag for it in seen), (
                "accepted a wrong tag"
            )
        self._apply(replace(command, job_id=job_id))
        if waited:
            self._stored(command.order_id)

    def _refused(self, answer: ApiResponse, command: ModelCommand) -> None:
        """Check that what was refused at once could be refused, by what the gateway may see."""
        seen = self._seen(command.order_id)
        first = self.model.keys.get(command.key or "")
        match (command.kind, answer.code, answer.status):
            case (_, "IdempotencyKeyReused", 422):
                fits = first is not None and first.fingerprint != command.fingerprint
            case ("RegisterOrder", "OrderExists", 409):
                fits = any(it and it.registered_by == answer.job_id for it in seen)
            case ("TriggerOrderAction", "OrderNotFound", 404):
                fits = None in seen
            case ("TriggerOrderAction", "VersionMismatch", 404):
                fits = any(it and it.version_tag != command.body["versionTag"] for it in seen)
            case ("TriggerOrderAction", "ContactMissing", 422):
                fits = any(it and lacks_contact(it, self.contacts) for it in seen)
            case _:
                fits = False
        assert fits, (answer, command, seen)

    def _apply(self, command: ModelCommand) -> None:
        result = self.model.apply(command)
        order_id = command.order_id
        if result.code == "IdReused":
            self.reused[order_id] = self.reused.get(order_id, 0) + 1
        self.seen[order_id] = [*self._seen(order_id), self.model.order(order_id)]

    def _seen(self, order_id: str) -> list[ModelOrder | None]:
        return self.seen.get(order_id, [None])

    def _stored(self, order_id: str) -> None:
        self.seen[order_id] = [self.model.order(order_id)]


def _unknown(order_id: str) -> Json:
    return {"matchKey": f"nobody-{order_id}", "matchKeyType": "Email"}
