"""Every kind of record that a publisher may send, by the words of the document's table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from order_contracts.topics import COMMANDS, MIB
from order_runtime.kafka.partitioning import partition_of
from support.builders.bodies import ABSENT, Json, line, order_body, unique
from support.stack.topics import Raw, delete, register

Headers = list[tuple[str, str | bytes | None]]

STRUCTURED = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Case:
    """A record, what comes before it, and how its job is found: by `job_id`, else by its order."""

    record: Raw
    before: tuple[Raw, ...] = ()

    @property
    def ce_id(self) -> str | None:
        ids = [value for name, value in pairs(self.record) if name.lower() == "ce_id"]
        return ids[0] if len(ids) == 1 and isinstance(ids[0], str) else None


def pairs(record: Raw) -> Headers:
    headers = record.headers
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def with_headers(record: Raw, *more: tuple[str, str | bytes | None], without: str = "") -> Raw:
    """Return *record* with more headers, some of them again, and without those named."""
    kept = [pair for pair in pairs(record) if pair[0] not in without.split()]
    return replace(record, headers=kept + list(more))


def good(**deviations: Any) -> Raw:
    return register(order_body(**deviations))


def valued(change: Callable[[bytes], bytes | None]) -> Case:
    """Return a good command whose value went through *change*."""
    record = good()
    return Case(replace(record, value=change(record.value or b"")))


def headed(*more: tuple[str, str | bytes | None], without: str = "") -> Case:
    """Return a good command with headers replaced, or added."""
    return Case(with_headers(good(), *more, without=without))


def of_type(ce_type: str) -> Case:
    return headed(("ce_type", ce_type), without="ce_type")


def command(kind: str, body: Json, **headers: str) -> Raw:
    return register(body, **({"ce_type": f"{kind}.v1"} | headers))


def after_registering(change: Callable[[Json], Raw], **deviations: Any) -> Case:
    body = order_body(**deviations)
    return Case(change(body), before=(register(body),))


def with_status(body: Json, at: str, **headers: str) -> Raw:
    told = {"orderId": body["orderId"], "status": "Completed", "lastChangedAt": at}
    return command("ChangeOrderStatus", told, **headers)


def deletion(body: Json, **headers: str) -> Raw:
    return command("DeleteOrder", {"orderId": body["orderId"]}, **headers)


def home(record: Raw) -> int:
    """Return the partition that a record's key names."""
    return partition_of(str(record.key).encode(), COMMANDS.partitions)


def misrouted() -> Case:
    record = good()
    return Case(replace(record, partition=(home(record) + 1) % COMMANDS.partitions))


def behind(first: Raw, record: Raw) -> Case:
    """Return *record* right behind one of another order, which has to be on its partition."""
    return Case(record, before=(replace(first, partition=home(record)),))


def reused() -> Case:
    job_id = str(uuid4())
    return behind(register(order_body(), job_id), register(order_body(), job_id))


def again() -> Case:
    record = good()
    return Case(record, before=(record,))


def keyed() -> Case:
    key = unique("key")
    return behind(*(register(order_body(), ce_idempotencykey=key) for _ in range(2)))


def too_heavy() -> Case:
    free = {"text": "x" * 15_000}
    return Case(good(lines=[line(extraData=free) for _ in range(55)]))


def with_event() -> Case:
    """Return an order wrapped in its event, as structured mode has it."""
    body = order_body()
    event = {"specversion": "1.0", "type": "RegisterOrder.v1", "id": "1", "data": body}
    raw = replace(register(body), value=json.dumps(event).encode())
    return Case(with_headers(raw, ("content-type", STRUCTURED + "; charset=UTF-8")))


def cases() -> dict[str, Case]:
    """Return a case for each row of the table, by its first cell."""
    return {
        "is as described above": Case(good()),
        "has fields that this system doesn't know, as a later `.v1` may": Case(
            good(colour="red", lines=[line(weight={"kg": 1})])
        ),
        "has headers of yours, repeated or not text": headed(
            ("x-shop", b"\xff"), ("x-shop", "1"), ("empty", None)
        ),
        "spells the names of headers in another case": headed(
            ("CE_TYPE", "RegisterOrder.v1"), without="ce_type"
        ),
        "has no `ce_specversion`, `ce_source`, `content-type`": headed(
            without="ce_specversion ce_source"
        ),
        "has no `ce_id`": headed(without="ce_id"),
        "registers, with a `ce_ifmatch`: it is passed over": headed(("ce_ifmatch", '"x"')),
        "is sent again under its `ce_id`": again(),
        "is on another partition than its key names": misrouted(),
        "has totals that don't add up": Case(good(totalPrice=1)),
        "is older than the order's last change (by `lastChangedAt`, without `ce_ifmatch`)": (
            after_registering(
                lambda body: with_status(body, "2025-11-28T10:00:00Z"),
                lastChangedAt="2025-11-28T11:00:00Z",
            )
        ),
        "deletes, with the `ce_registration` or `ce_contactsince` of what the order was once": (
            after_registering(lambda body: deletion(body, ce_registration="another"))
        ),
        "has no value (a tombstone)": valued(lambda _: None),
        "has an empty value": valued(lambda _: b""),
        "isn't JSON": valued(lambda value: value[:-1]),
        "isn't UTF-8": valued(lambda _: b'{"orderId": "\xe4"}'),
        "begins with a byte order mark": valued(lambda value: b"\xef\xbb\xbf" + value),
        "has a schema registry's five bytes before the JSON": valued(
            lambda value: b"\0\0\0\0\x07" + value
        ),
        "has a member twice in one object": valued(lambda value: b'{"orderId": "1", ' + value[1:]),
        "is a JSON array, or a batch": valued(lambda value: b"[" + value + b"]"),
        "lacks a field": Case(good(currencyCode=ABSENT)),
        "has a wrong value": Case(good(status="Open")),
        "has a time over five minutes ahead of the broker's": Case(
            good(createdAt="2999-01-01T00:00:00Z")
        ),
        "has no key": Case(replace(good(), key=None)),
        "has another key than the orderId": Case(replace(good(), key=unique("other"))),
        "has a key that was serialised as JSON, in quotes": Case(
            replace(record := good(), key=f'"{record.key!s}"')
        ),
        "has no `ce_type`": headed(without="ce_type"),
        "has a `ce_type` that names no command": of_type("PaintOrder.v1"),
        "has the `ce_type` of an event": of_type("OrderRegistered.v1"),
        "has a later version's `ce_type`, such as `RegisterOrder.v2`": of_type("RegisterOrder.v2"),
        "has a former version's `ce_type`, such as `RegisterOrder.v0`": of_type("RegisterOrder.v0"),
        "has another `ce_specversion`": headed(("ce_specversion", "0.3"), without="ce_specversion"),
        "is in structured mode (`application/cloudevents+json`)": with_event(),
        "is a batch of events (`application/cloudevents-batch+json`)": headed(
            ("content-type", "application/cloudevents-batch+json")
        ),
        "has another `content-type`": headed(("content-type", "application/avro")),
        "repeats a `ce_` header, also in another case": headed(("CE_Source", "/other")),
        "has a `ce_` header that isn't UTF-8": headed(("ce_ifmatch", b"\xff")),
        "has a `ce_id` of other characters, or too long": headed(
            ("ce_id", "a b/c"), without="ce_id"
        ),
        "has a `ce_actions` that isn't `suppress`": headed(("ce_actions", "supress")),
        "has an empty or too long `ce_idempotencykey`": headed(("ce_idempotencykey", "")),
        "has a `ce_registration` or `ce_contactsince`, and is no DeleteOrder": headed(
            ("ce_contactsince", "1")
        ),
        "has a `ce_contactsince` that is no version": after_registering(
            lambda body: deletion(body, ce_contactsince="first")
        ),
        "is larger than 1 MiB before it is compressed": valued(lambda value: value + b" " * MIB),
        "has the `ce_id` of another command": reused(),
        "has the `ce_idempotencykey` of a command with other content": keyed(),
        "registers an order that exists": after_registering(register),
        "changes or deletes an order that isn't there": Case(delete(unique("order"))),
        "has a `ce_ifmatch` of another version": after_registering(
            lambda body: with_status(body, "2025-11-28T12:00:00Z", ce_ifmatch='"other"')
        ),
        "triggers an action with another `versionTag`": after_registering(
            lambda body: command(
                "TriggerOrderAction",
                {"orderId": body["orderId"], "action": "Custom", "versionTag": "other"},
            )
        ),
        "would make the order larger than 768 KB": too_heavy(),
    }
