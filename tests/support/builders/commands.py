"""Commands, and records of `orders.commands` that carry them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from order_contracts.base import Message
from order_contracts.cloudevents import Envelope
from order_contracts.commands import (
    COMMANDS,
    ChangeOrderDelivery,
    ChangeOrderStatus,
    Command,
    DeleteOrder,
    RegisterOrder,
    ReplaceOrder,
    TriggerOrderAction,
    type_of,
)
from order_contracts.decoding import parse, read
from order_contracts.topics import COMMANDS as TOPIC
from order_runtime.kafka.partitioning import partition_of
from order_runtime.kafka.records import Record
from order_writer.domain.batch_items import TopicInfo
from support.builders.bodies import Json, order_body

AT = datetime(2025, 11, 28, 12, 0, tzinfo=UTC)
FIRST_VERSION = int(AT.timestamp()) * 1000
"""The version that a registration makes at AT."""
ORDER_ID = "o-1"
PARTITIONS = 12
TOPIC_INFO = TopicInfo("topic-1", PARTITIONS, issued=lambda _: False)
M = TypeVar("M", bound=Message)
_OFFSETS = count()


def register(order_id: str = ORDER_ID, **deviations: Any) -> RegisterOrder:
    return _command(RegisterOrder, order_body(order_id, **deviations))


def replace_order(order_id: str = ORDER_ID, **deviations: Any) -> ReplaceOrder:
    return _command(ReplaceOrder, order_body(order_id, **deviations))


def delete(order_id: str = ORDER_ID) -> DeleteOrder:
    return DeleteOrder(order_id=order_id)


def change_status(order_id: str = ORDER_ID, at: datetime = AT, **fields: Any) -> ChangeOrderStatus:
    body = {"orderId": order_id, "status": "Completed", "lastChangedAt": at.isoformat()}
    return _command(ChangeOrderStatus, body | fields)


def change_delivery(
    order_id: str = ORDER_ID, at: datetime = AT, **fields: Any
) -> ChangeOrderDelivery:
    body = {"orderId": order_id, "delivery": {"method": "Post"}, "lastChangedAt": at.isoformat()}
    return _command(ChangeOrderDelivery, body | fields)


def trigger_action(tag: str, order_id: str = ORDER_ID) -> TriggerOrderAction:
    body = {"orderId": order_id, "action": "Custom", "versionTag": tag}
    return _command(TriggerOrderAction, body)


def command_record(command: Command, job_id: str | None = None, **place: Any) -> Record:
    """Return the record of a command; without a job id it has no `ce_id`, as from kcat."""
    return raw_record(command.to_json(), command.order_id, type_of(type(command)), job_id, **place)


def raw_record(
    value: bytes | None,
    key: str | bytes | None = ORDER_ID,
    kind: str = "RegisterOrder.v1",
    job_id: str | None = None,
    *,
    headers: tuple[tuple[str, bytes | None], ...] = (),
    partition: int | None = None,
    offset: int | None = None,
    at: datetime = AT,
) -> Record:
    """Return a record of any content, by default on the partition of its key."""
    key_bytes = key.encode() if isinstance(key, str) else key
    envelope = Envelope(job_id or "", "/test", kind, at, "")
    envelope_headers = tuple(pair for pair in envelope.headers() if pair[0] != "ce_id" or job_id)
    return Record(
        TOPIC.name,
        partition_of(key_bytes or b"", PARTITIONS) if partition is None else partition,
        next(_OFFSETS) if offset is None else offset,
        at,
        key_bytes,
        value,
        envelope_headers + headers,
    )


def seconds_later(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def _command(model: type[M], body: Json) -> M:
    assert model in COMMANDS.values()
    return read(model, parse(json.dumps(body).encode()), strict=True)
