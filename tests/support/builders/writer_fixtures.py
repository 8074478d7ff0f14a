"""Documents and events as the order-writer makes them, for tests of the services downstream."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from order_contracts.cloudevents import Envelope
from order_contracts.decoding import parse, read
from order_contracts.derived_ids import event_id
from order_contracts.events import EventType, OrderEvent
from order_contracts.job import Operation
from order_contracts.order import ActionRequest, Order, OrderStatus
from order_contracts.topics import EVENTS
from order_runtime.documents.jobs import LedgerEntry, entry_document, entry_of
from order_runtime.documents.orders import LiveOrder, Tombstone, order_document
from order_runtime.kafka.records import Outgoing, Record
from support.builders.bodies import Json, unique

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)
_OFFSETS = count()
_EVENTS = {
    Operation.REGISTER: EventType.REGISTERED,
    Operation.REPLACE: EventType.REPLACED,
    Operation.DELETE: EventType.DELETED,
    Operation.CHANGE_STATUS: EventType.STATUS_CHANGED,
    Operation.ACTION: EventType.ACTION_REQUESTED,
}


@dataclass(frozen=True, slots=True)
class WrittenCommand:
    """The result of one command: the order's document, the job's, and the event."""

    job_id: str
    order: Json
    job: Json
    event: Outgoing


@dataclass
class WriterFixture:
    """Stands in for the order-writer for one order; each call applies one command."""

    order_id: str
    at: datetime = AT
    version: int = 0
    _state: LiveOrder | Tombstone | None = field(default=None, repr=False)

    def register(self, body: Json, action: Json | None = None) -> WrittenCommand:
        return self._write_order(Operation.REGISTER, body, action)

    def event_again(self, written: WrittenCommand) -> Outgoing:
        """Return the event as it is announced again: with the order's present state."""
        assert self._state is not None
        return _event(entry_of(written.job), self._state)

    def replace(self, body: Json, action: Json | None = None) -> WrittenCommand:
        return self._write_order(Operation.REPLACE, body, action)

    def change_status(self, action: Json | None = None) -> WrittenCommand:
        """Apply a status change; the contact stays."""
        assert isinstance(self._state, LiveOrder)
        self.version += 1
        state = replace(self._state, version=self.version, job_id=unique("job"))
        return self._write(Operation.CHANGE_STATUS, state, state.job_id, action)

    def cancel(self, action: Json | None = None) -> WrittenCommand:
        assert isinstance(self._state, LiveOrder)
        since = self._state.cancelled_since or self.version + 1
        return self._change_status(OrderStatus.CANCELLED, since, action)

    def reopen(self, action: Json | None = None) -> WrittenCommand:
        return self._change_status(OrderStatus.IN_PROGRESS, None, action)

    def _change_status(
        self, status: OrderStatus, since: int | None, action: Json | None
    ) -> WrittenCommand:
        assert isinstance(self._state, LiveOrder)
        self.version += 1
        state = replace(
            self._state,
            order=self._state.order.model_copy(update={"status": status}),
            version=self.version,
            job_id=unique("job"),
            cancelled_since=since,
        )
        return self._write(Operation.CHANGE_STATUS, state, state.job_id, action)

    def trigger_action(self, action: Json) -> WrittenCommand:
        assert isinstance(self._state, LiveOrder)
        return self._write(Operation.ACTION, self._state, unique("job"), action, versioned=False)

    def delete(self) -> WrittenCommand:
        self.version += 1
        return self._write(Operation.DELETE, Tombstone(self.version, self.at), unique("job"), None)

    def _write_order(self, operation: Operation, body: Json, action: Json | None) -> WrittenCommand:
        self.version += 1
        job_id = unique("job")
        old = self._state if operation is Operation.REPLACE else None
        order = read(Order, parse(json.dumps({**body, "orderId": self.order_id}).encode()))
        same = old if isinstance(old, LiveOrder) and old.order.contact == order.contact else None
        state = LiveOrder(
            order=order,
            version=self.version,
            contact_version=self.version,
            contact_since=same.contact_since if same else self.version,
            contact_since_at=same.contact_since_at if same else self.at,
            job_id=job_id,
            registered_by=old.registered_by if isinstance(old, LiveOrder) else job_id,
            # Each registration of an orderId has a time of its own.
            registered_at=old.registered_at
            if isinstance(old, LiveOrder)
            else self.at.replace(microsecond=self.version * 1000),
            updated_at=self.at,
            cancelled_since=self.version if order.status is OrderStatus.CANCELLED else None,
        )
        return self._write(operation, state, job_id, action)

    def _write(
        self,
        operation: Operation,
        state: LiveOrder | Tombstone,
        job_id: str,
        action: Json | None,
        *,
        versioned: bool = True,
    ) -> WrittenCommand:
        order_then = state if isinstance(state, LiveOrder) else self._state
        self._state = state
        entry = LedgerEntry(
            job_id=job_id,
            order_id=self.order_id,
            operation=operation,
            fingerprint=job_id,
            at=self.at,
            version=self.version if versioned else None,
            registration=order_then.registered_by if isinstance(order_then, LiveOrder) else None,
            action=read(ActionRequest, parse(json.dumps(action).encode())) if action else None,
        )
        return WrittenCommand(
            job_id,
            order_document(self.order_id, state),
            entry_document(entry),
            _event(entry, state),
        )


def _event(entry: LedgerEntry, state: LiveOrder | Tombstone) -> Outgoing:
    data = OrderEvent(
        job_id=entry.job_id,
        order_id=entry.order_id or "",
        version=entry.version,
        order_version=state.version,
        registration=entry.registration,
        order=state.view() if isinstance(state, LiveOrder) else None,
        action=entry.action,
    )
    kind = _EVENTS[entry.operation]
    envelope = Envelope(
        id=event_id(entry.job_id, kind),
        source="/order-writer",
        type=kind,
        time=entry.at,
        subject=data.order_id,
    )
    return Outgoing(EVENTS.name, data.order_id.encode(), data.to_json(), envelope.headers())


def read_back(outgoing: Outgoing, *, partition: int = 0, at: datetime = AT) -> Record:
    """Return *outgoing* as a consumed record, at the next offset."""
    return Record(
        outgoing.topic,
        partition,
        next(_OFFSETS),
        at,
        outgoing.key,
        outgoing.value,
        outgoing.headers,
    )


def reference_record(topic: str, key: str, value: bytes | None, **place: Any) -> Record:
    """Return a record of a reference topic; without a value it is a tombstone."""
    return read_back(Outgoing(topic, key.encode(), value), **place)
