"""Each kind of record in the tables of docs/publishing-directly.md, by the text of its row."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from order_contracts.topics import COMMANDS, MIB
from order_runtime.kafka.partitioning import partition_of
from support.builders.bodies import ABSENT, Json, line, order_body, unique
from support.builders.raw_records import RawRecord, delete_record, register_record

Headers = list[tuple[str, str | bytes | None]]

STRUCTURED = "application/cloudevents+json"
FORGED = (("ce_source", "/gateway"), ("ce_gatewaysignature", "0" * 64))


@dataclass(frozen=True, slots=True)
class RecordCase:
    """A record and the records published before it; `ce_id` is None if it names no single job."""

    record: RawRecord
    before: tuple[RawRecord, ...] = ()

    @property
    def ce_id(self) -> str | None:
        ids = [value for name, value in header_pairs(self.record) if name.lower() == "ce_id"]
        return ids[0] if len(ids) == 1 and isinstance(ids[0], str) else None


def header_pairs(record: RawRecord) -> Headers:
    headers = record.headers
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def with_headers(
    record: RawRecord, *more: tuple[str, str | bytes | None], without: str = ""
) -> RawRecord:
    """Return *record* with more headers, also repeated ones, and without those named."""
    kept = [pair for pair in header_pairs(record) if pair[0] not in without.split()]
    return replace(record, headers=kept + list(more))


def valid_record(**deviations: Any) -> RawRecord:
    return register_record(order_body(**deviations))


def case_with_value(change: Callable[[bytes], bytes | None]) -> RecordCase:
    """Return a valid command whose value is changed by *change*."""
    record = valid_record()
    return RecordCase(replace(record, value=change(record.value or b"")))


def case_with_headers(*more: tuple[str, str | bytes | None], without: str = "") -> RecordCase:
    """Return a valid command with headers replaced or added."""
    return RecordCase(with_headers(valid_record(), *more, without=without))


def case_with_type(ce_type: str) -> RecordCase:
    return case_with_headers(("ce_type", ce_type), without="ce_type")


def command_of_type(kind: str, body: Json, **headers: str) -> RawRecord:
    return register_record(body, **({"ce_type": f"{kind}.v1"} | headers))


def after_registering(change: Callable[[Json], RawRecord], **deviations: Any) -> RecordCase:
    body = order_body(**deviations)
    return RecordCase(change(body), before=(register_record(body),))


def status_change(body: Json, at: str, **headers: str) -> RawRecord:
    body_of_change = {"orderId": body["orderId"], "status": "Completed", "lastChangedAt": at}
    return command_of_type("ChangeOrderStatus", body_of_change, **headers)


def delete_of(body: Json, **headers: str) -> RawRecord:
    return command_of_type("DeleteOrder", {"orderId": body["orderId"]}, **headers)


def home_partition(record: RawRecord) -> int:
    """Return the partition of a record's key."""
    return partition_of(str(record.key).encode(), COMMANDS.partitions)


def misrouted() -> RecordCase:
    record = valid_record()
    return RecordCase(replace(record, partition=(home_partition(record) + 1) % COMMANDS.partitions))


def after_another_order(first: RawRecord, record: RawRecord) -> RecordCase:
    """Return *record* preceded by a command of another order on the same partition."""
    return RecordCase(record, before=(replace(first, partition=home_partition(record)),))


def reused_id() -> RecordCase:
    job_id = str(uuid4())
    return after_another_order(
        register_record(order_body(), job_id), register_record(order_body(), job_id)
    )


def repeated() -> RecordCase:
    record = valid_record()
    return RecordCase(record, before=(record,))


def reused_key() -> RecordCase:
    key = unique("key")
    return after_another_order(
        *(register_record(order_body(), ce_idempotencykey=key) for _ in range(2))
    )


def too_large_order() -> RecordCase:
    free = {"text": "x" * 15_000}
    return RecordCase(valid_record(lines=[line(extraData=free) for _ in range(55)]))


def structured_mode(**changes: Any) -> RecordCase:
    """Return an order wrapped in a CloudEvent, as in structured mode."""
    body = order_body()
    record = register_record(body)
    event: Json = {"specversion": "1.0", "type": "RegisterOrder.v1", "source": "/outbox"}
    event |= {"id": dict(header_pairs(record))["ce_id"], "data": body}
    raw = replace(record, value=json.dumps(event | changes).encode())
    return RecordCase(
        with_headers(
            raw, ("content-type", STRUCTURED + "; charset=UTF-8"), without="ce_type content-type"
        )
    )


def record_cases() -> dict[str, RecordCase]:
    """Return a case for each row of the table, by its first cell."""
    return {
        "is as described above": RecordCase(valid_record()),
        "has fields that this system doesn't know, as a later `.v1` may": RecordCase(
            valid_record(colour="red", lines=[line(weight={"kg": 1})])
        ),
        "is in structured mode (`application/cloudevents+json`)": structured_mode(),
        "has numbers of more than 8 decimals or 15 digits": RecordCase(
            valid_record(extraData={"share": 8.331666666666667})
        ),
        "has headers of yours, repeated or not text": case_with_headers(
            ("x-shop", b"\xff"), ("x-shop", "1"), ("empty", None)
        ),
        "says that the gateway sent it, with a `ce_gatewaysignature` that it didn't make": (
            case_with_headers(*FORGED, without="ce_source")
        ),
        "spells the names of headers in another case": case_with_headers(
            ("CE_TYPE", "RegisterOrder.v1"), without="ce_type"
        ),
        "has no `ce_specversion`, `ce_source`, `content-type`": case_with_headers(
            without="ce_specversion ce_source"
        ),
        "has no `ce_id`": case_with_headers(without="ce_id"),
        "registers, with a `ce_ifmatch`: it is passed over": case_with_headers(
            ("ce_ifmatch", '"x"')
        ),
        "is sent again under its `ce_id`": repeated(),
        "is on another partition than its key names": misrouted(),
        "has totals that don't add up": RecordCase(valid_record(totalPrice=1)),
        "is older than the order's last change (by `lastChangedAt`, without `ce_ifmatch`)": (
            after_registering(
                lambda body: status_change(body, "2025-11-28T10:00:00Z"),
                lastChangedAt="2025-11-28T11:00:00Z",
            )
        ),
        "deletes, with the `ce_registration` or `ce_contactsince` of what the order was once": (
            after_registering(lambda body: delete_of(body, ce_registration="another"))
        ),
        "has no value (a tombstone)": case_with_value(lambda _: None),
        "has an empty value": case_with_value(lambda _: b""),
        "isn't JSON": case_with_value(lambda value: value[:-1]),
        "isn't JSON, and says that the gateway sent it": RecordCase(
            replace(with_headers(valid_record(), *FORGED, without="ce_source"), value=b"{")
        ),
        "isn't UTF-8": case_with_value(lambda _: b'{"orderId": "\xe4"}'),
        "begins with a byte order mark": case_with_value(lambda value: b"\xef\xbb\xbf" + value),
        "has a schema registry's five bytes before the JSON": case_with_value(
            lambda value: b"\0\0\0\0\x07" + value
        ),
        "has a member twice in one object": case_with_value(
            lambda value: b'{"orderId": "1", ' + value[1:]
        ),
        "is a JSON array, or a batch": case_with_value(lambda value: b"[" + value + b"]"),
        "lacks a field": RecordCase(valid_record(currencyCode=ABSENT)),
        "has a `matchKey` of blanks": RecordCase(
            valid_record(contact={"matchKey": " \u200b", "matchKeyType": "Email"})
        ),
        "has a wrong value": RecordCase(valid_record(status="Open")),
        "has a time over five minutes ahead of the broker's": RecordCase(
            valid_record(createdAt="2999-01-01T00:00:00Z")
        ),
        "has no key": RecordCase(replace(valid_record(), key=None)),
        "has another key than the orderId": RecordCase(
            replace(valid_record(), key=unique("other"))
        ),
        "has a key that was serialised as JSON, in quotes": RecordCase(
            replace(record := valid_record(), key=f'"{record.key!s}"')
        ),
        "has no `ce_type`": case_with_headers(without="ce_type"),
        "has a `ce_type` that names no command": case_with_type("PaintOrder.v1"),
        "has the `ce_type` of an event": case_with_type("OrderRegistered.v1"),
        "has a later version's `ce_type`, such as `RegisterOrder.v2`": case_with_type(
            "RegisterOrder.v2"
        ),
        "has a former version's `ce_type`, such as `RegisterOrder.v0`": case_with_type(
            "RegisterOrder.v0"
        ),
        "has another `ce_specversion`": case_with_headers(
            ("ce_specversion", "0.3"), without="ce_specversion"
        ),
        "is in structured mode and lacks the attribute `type`": structured_mode(type=None),
        "is a batch of events (`application/cloudevents-batch+json`)": case_with_headers(
            ("content-type", "application/cloudevents-batch+json")
        ),
        "has another `content-type`": case_with_headers(("content-type", "application/avro")),
        "repeats a `ce_` header, also in another case": case_with_headers(("CE_Source", "/other")),
        "has a `ce_` header that isn't UTF-8": case_with_headers(("ce_ifmatch", b"\xff")),
        "has a `ce_id` of other characters, or too long": case_with_headers(
            ("ce_id", "a b/c"), without="ce_id"
        ),
        "has a `ce_actions` that isn't `suppress`": case_with_headers(("ce_actions", "supress")),
        "has an empty or too long `ce_idempotencykey`": case_with_headers(
            ("ce_idempotencykey", "")
        ),
        "has a `ce_registration` or `ce_contactsince`, and is no DeleteOrder": case_with_headers(
            ("ce_contactsince", "1")
        ),
        "has a `ce_contactsince` that is no version": after_registering(
            lambda body: delete_of(body, ce_contactsince="first")
        ),
        "has more than 1,000 headers": case_with_headers(*[("x", b"")] * 1_000),
        "is larger than 1 MiB before it is compressed": case_with_value(
            lambda value: value + b" " * MIB
        ),
        "has the `ce_id` of another command": reused_id(),
        "has the `ce_idempotencykey` of a command with other content": reused_key(),
        "registers an order that exists": after_registering(register_record),
        "changes or deletes an order that isn't there": RecordCase(delete_record(unique("order"))),
        "has a `ce_ifmatch` of another version": after_registering(
            lambda body: status_change(body, "2025-11-28T12:00:00Z", ce_ifmatch='"other"')
        ),
        "triggers an action with another `versionTag`": after_registering(
            lambda body: command_of_type(
                "TriggerOrderAction",
                {"orderId": body["orderId"], "action": "Custom", "versionTag": "other"},
            )
        ),
        "would make the order larger than 768 KB": too_large_order(),
    }
