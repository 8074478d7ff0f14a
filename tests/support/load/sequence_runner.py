"""Runs a sequence of commands on a real stack and on the model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from confluent_kafka import Producer

from support.builders.bodies import Json, order_body, unique
from support.builders.raw_records import COMMANDS_TOPIC
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
    Sends its commands one by one, so that their order in the log is known.

    The gateway's response depends on how many of them are stored by then: `visible_states` has
    every state of an order that it may read.
    """

    api: AsyncApiClient
    producer: Producer
    contacts: Contacts
    contact: Json
    model: OrderModel = field(default_factory=OrderModel)
    order_ids: Sequence[str] = field(
        default_factory=lambda: [unique("model") for _ in range(ORDERS)]
    )
    visible_states: dict[str, list[ModelOrder | None]] = field(default_factory=dict)
    sent: list[tuple[PlannedCommand, ModelCommand]] = field(default_factory=list)
    reused_ids: dict[str, int] = field(default_factory=dict)
    """Number of commands of an order with the id of another command."""
    transcript: list[str] = field(default_factory=list)
    """All commands with their responses, for a failing test."""
    jobs: dict[str, Json] = field(default_factory=dict)
    """The jobs, once they are settled."""

    async def run(self, plans: Sequence[PlannedCommand]) -> None:
        for number, planned in enumerate(plans):
            channel, command = self._command(planned, number)
            self.sent.append((channel, command))
            if channel.published:
                await self._publish(channel, command)
            else:
                await self._post(channel, command)

    def _command(self, planned: PlannedCommand, number: int) -> tuple[PlannedCommand, ModelCommand]:
        """Return a planned command, and the plan whose channel it uses: a repeat's first one."""
        before = [
            it
            for it in self.sent
            if planned.repetition is Repetition.SAME or it[1].key or it[0].published
        ]
        if planned.repetition is Repetition.NO or not before:
            return planned, self._new_command(planned, number)
        channel, first = before[number % len(before)]
        channel = replace(channel, wait_until_stored=planned.wait_until_stored)
        # A publisher may repeat itself by job id, or by Idempotency-Key.
        by_key = channel.published and first.key is not None and planned.with_key
        job_id = str(uuid4()) if by_key else first.job_id
        if planned.repetition is Repetition.SAME:
            return channel, replace(first, job_id=job_id)
        other = self._new_command(replace(planned, published=channel.published), number)
        key = first.key if by_key or not channel.published else None
        return channel, replace(other, job_id=job_id, key=key)

    def _new_command(self, planned: PlannedCommand, number: int) -> ModelCommand:
        order_id = self.order_ids[planned.order]
        key = f"{'kafka' if planned.published else 'http'}/{order_id}/{number}"
        return ModelCommand(
            kind=planned.kind,
            order_id=order_id,
            job_id=str(uuid4()) if planned.published else "",
            body=self._body(planned, order_id),
            if_match=self._if_match(planned, order_id),
            key=key if planned.with_key else None,
            suppressed=planned.suppressed and planned.published,
        )

    def _body(self, planned: PlannedCommand, order_id: str) -> Json:
        if planned.kind == DELETE:
            return {}
        if planned.kind == ACTION:
            return {
                "action": "ConfirmOrder",
                "versionTag": self._tag(planned.version_tag, order_id),
            }
        partial = planned.kind in {STATUS, DELIVERY}
        minute = 1 if partial and planned.minute is None else planned.minute
        body = self._changed_fields(planned) if partial else self._order_body(planned, order_id)
        body |= {} if minute is None else {"lastChangedAt": f"2025-11-28T10:0{minute}:00Z"}
        return body | (
            {"orderAction": {"action": "Custom", "data": {"n": 1.5}}} if planned.with_action else {}
        )

    def _changed_fields(self, planned: PlannedCommand) -> Json:
        if planned.kind == STATUS:
            return {"status": "Completed"} | (
                {"externalStatus": "packed"} if planned.unusual else {}
            )
        given = {"method": None} if planned.unusual else {"method": "Post", "trackingNumber": "1"}
        return {"delivery": given}

    def _order_body(self, planned: PlannedCommand, order_id: str) -> Json:
        contact = self.contact if planned.contact_exists else _unknown(order_id)
        return order_body(order_id, contact=contact) | (
            {"totalPrice": 77} if planned.unusual else {}
        )

    def _if_match(self, planned: PlannedCommand, order_id: str) -> str | None:
        version_tag = self._tag(planned.version_tag, order_id)
        if planned.version_tag is None or planned.kind in {REGISTER, ACTION}:
            return None
        forms = {
            TagChoice.LISTED: f'"x", "{version_tag}"',
            TagChoice.WEAK: f'W/"{version_tag}"',
            TagChoice.ANY: "*",
        }
        return forms.get(planned.version_tag, f'"{version_tag}"')

    def _tag(self, version_tag: TagChoice | None, order_id: str) -> str:
        order, steps = self.model.order(order_id), self.model.history.get(order_id)
        if order is None or (version_tag is TagChoice.FIRST and steps):
            return tag_of(steps[0].command.job_id if steps else "nothing")
        return order.version_tag

    async def _publish(self, channel: PlannedCommand, command: ModelCommand) -> None:
        record = raw_record_of(command)
        self.producer.produce(
            COMMANDS_TOPIC, key=record.key, value=record.value, headers=list(record.pairs)
        )
        self.transcript.append(f"Kafka {command}")
        assert await asyncio.to_thread(self.producer.flush, 30) == 0
        self._apply(command)
        if channel.wait_until_stored:
            await self.api.settled([command.job_id])
            self._stored(command.order_id)

    async def _post(self, channel: PlannedCommand, command: ModelCommand) -> None:
        request = http_request(command, wait=30 if channel.wait_until_stored else None)
        response = await self.api(request.method, request.path, request.body, request.headers)
        self.transcript.append(f"HTTP {command} {response.status} {response.body.get('jobId')}")
        job = response.body.get("job") or (response.body if response.status in {200, 202} else None)
        if job is None:
            self._refused(response, command)
        else:
            self._accepted(job["jobId"], command, waited=response.status != 202)

    def _accepted(self, job_id: str, command: ModelCommand, *, waited: bool) -> None:
        first = self.model.keys.get(command.key or "")
        if job_id in self.model.jobs:
            assert first is not None
            assert (first.job_id, first.fingerprint) == (job_id, command.fingerprint)
            return
        visible_states = self._visible_states(command.order_id)
        if command.kind == REGISTER:
            assert first is not None or None in visible_states, "accepted although the order exists"
        if command.kind == ACTION and first is None:
            version_tag = command.body["versionTag"]
            assert any(it is not None and it.version_tag == version_tag for it in visible_states), (
                "accepted a wrong tag"
            )
        self._apply(replace(command, job_id=job_id))
        if waited:
            self._stored(command.order_id)

    def _refused(self, response: ApiResponse, command: ModelCommand) -> None:
        """Check that a refusal fits one of the states that the gateway may have read."""
        visible_states = self._visible_states(command.order_id)
        first = self.model.keys.get(command.key or "")
        match (command.kind, response.code, response.status):
            case (_, "IdempotencyKeyReused", 422):
                fits = first is not None and first.fingerprint != command.fingerprint
            case ("RegisterOrder", "OrderExists", 409):
                fits = any(it and it.registered_by == response.job_id for it in visible_states)
            case ("TriggerOrderAction", "OrderNotFound", 404):
                fits = None in visible_states
            case ("TriggerOrderAction", "VersionMismatch", 404):
                fits = any(
                    it and it.version_tag != command.body["versionTag"] for it in visible_states
                )
            case ("TriggerOrderAction", "ContactMissing", 422):
                fits = any(it and lacks_contact(it, self.contacts) for it in visible_states)
            case _:
                fits = False
        assert fits, (response, command, visible_states)

    def _apply(self, command: ModelCommand) -> None:
        result = self.model.apply(command)
        order_id = command.order_id
        if result.code == "IdReused":
            self.reused_ids[order_id] = self.reused_ids.get(order_id, 0) + 1
        self.visible_states[order_id] = [
            *self._visible_states(order_id),
            self.model.order(order_id),
        ]

    def _visible_states(self, order_id: str) -> list[ModelOrder | None]:
        return self.visible_states.get(order_id, [None])

    def _stored(self, order_id: str) -> None:
        self.visible_states[order_id] = [self.model.order(order_id)]


def _unknown(order_id: str) -> Json:
    return {"matchKey": f"nobody-{order_id}", "matchKeyType": "Email"}
