"""
Decodes the commands of the log without any code of the services. Pure.

It implements the contract's rules for headers, keys and ids, and checks required fields of values.
It doesn't check every limit of the contract: extend it for a load that exceeds one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid5

from support.builders.bodies import Json
from support.history.log_record import LogRecord
from support.model.model import ACTION, DELETE, DELIVERY, REGISTER, REPLACE, STATUS, ModelCommand

GATEWAY_SOURCE: Final = "/gateway"
ENRICHER_SOURCE: Final = "/enricher"
_NAMESPACE: Final = UUID("6f1c8f0e-2f7b-5d0e-9c55-0d1f6c1b7a10")
_JOB_ID: Final = re.compile(r"[A-Za-z0-9_.~-]{1,255}", re.ASCII)
_ORDER: Final = ("contact", "status", "currencyCode", "totalPrice", "createdAt", "lineItems")
_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    REGISTER: _ORDER,
    REPLACE: _ORDER,
    DELETE: (),
    STATUS: ("status", "lastChangedAt"),
    DELIVERY: ("delivery", "lastChangedAt"),
    ACTION: ("action", "versionTag"),
}
_AHEAD: Final = timedelta(minutes=5)
_STATUSES: Final = frozenset({"inprogress", "completed", "cancelled"})


class InvalidCommand(ValueError):
    """The record isn't a valid command."""


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """A record of `orders.commands` with its decoded command."""

    record: LogRecord
    job_id: str
    """The sender's `ce_id`, else the fallback id."""
    fallback_id: str
    """Derived from the position; the job's id if `job_id` belongs to another command."""
    fingerprint: str
    command: ModelCommand | None
    """None: the record is invalid."""
    content: str = ""
    """Key, value and relevant headers."""

    @property
    def replayed_job(self) -> str | None:
        """The job id of a dead letter that an operator replayed."""
        return self.record.header("orders-replay")

    @property
    def from_gateway(self) -> bool:
        """Whether its source is the gateway."""
        return self.record.header("ce_source") == GATEWAY_SOURCE


def derived_id(*parts: str | int) -> str:
    """Return the id that is derived from *parts*."""
    return str(uuid5(_NAMESPACE, "".join(f"{len(str(part))}:{part}" for part in parts)))


def action_id(job_id: str) -> str:
    return derived_id("action", job_id)


def read_record(record: LogRecord, topic_id: str) -> ReadRecord:
    """Decode one record; *topic_id* is the broker's id of the topic."""
    fallback = derived_id("record", topic_id, record.partition, record.offset, record.at)
    said = [(name.lower(), value) for name, value in record.headers if _counts(name.lower())]
    content = repr((sorted(said, key=repr), record.key, record.value))
    job_id = _job_id(record) or fallback
    try:
        command = _command(record, headers_of(record), job_id)
    except InvalidCommand:
        return ReadRecord(record, job_id, fallback, content, None, content)
    return ReadRecord(record, job_id, fallback, command.fingerprint, command, content)


def _counts(name: str) -> bool:
    return name.startswith("ce_") or name == "content-type"


def _job_id(record: LogRecord) -> str | None:
    """Return the sender's id, also if other headers are invalid."""
    ids = [value for name, value in record.headers if name.lower() == "ce_id" and value is not None]
    text = ids[0].decode(errors="replace") if len(ids) == 1 else ""
    return text if _JOB_ID.fullmatch(text) else None


def headers_of(record: LogRecord) -> Json:
    """Return the relevant headers as text, by lower-case name; none may be repeated."""
    found: Json = {}
    for spelt, value in record.headers:
        name = spelt.lower()
        if not name.startswith("ce_") and name not in {"content-type", "traceparent"}:
            continue
        if value is None:
            continue
        if name in found:
            raise InvalidCommand(f"{name} twice")
        try:
            found[name] = value.decode()
        except UnicodeDecodeError:
            raise InvalidCommand(f"{name} is no text") from None
    return found


def _command(record: LogRecord, headers: Json, job_id: str) -> ModelCommand:
    if not record.readable:
        raise InvalidCommand("no client can read it")
    content = headers.get("content-type", "application/json").split(";")[0].strip().lower()
    kind, _, version = headers.get("ce_type", "").partition(".")
    key, untrimmed_key = headers.get("ce_idempotencykey"), headers.get("ce_untrimmedkey")
    actions = headers.get("ce_actions")
    registration, contact_since = headers.get("ce_registration"), headers.get("ce_contactsince")
    right = (
        _JOB_ID.fullmatch(headers.get("ce_id", job_id)) is not None,
        content == "application/json",
        headers.get("ce_specversion", "1.0") == "1.0",
        kind in _REQUIRED and version == "v1",
        actions in {None, "suppress"},
        key is None or 1 <= len(key) <= 255,
        untrimmed_key is None or 1 <= len(untrimmed_key) <= 255,
        (registration is None and contact_since is None) or kind == DELETE,
        contact_since is None
        or re.fullmatch(r"[1-9][0-9]{0,17}", contact_since, re.ASCII) is not None,
    )
    if not all(right):
        raise InvalidCommand("headers")
    body = _value(record.value)
    order_id = body.pop("orderId", None)
    if not isinstance(order_id, str) or record.key != order_id.encode():
        raise InvalidCommand("key")
    _check(kind, body)
    if headers.get("ce_source") != GATEWAY_SOURCE:  # which has checked them by its own clock
        _check_times(body, datetime.fromtimestamp(record.at / 1000, UTC))
    return ModelCommand(
        kind=kind,
        order_id=order_id,
        job_id=job_id,
        body=body,
        if_match=headers.get("ce_ifmatch"),
        key=key,
        untrimmed_key=untrimmed_key,
        suppressed=actions is not None,
        registration=registration,
        contact_since=None if contact_since is None else int(contact_since),
        at=record.at,
    )


def _value(content: bytes | None) -> Json:
    try:
        value = json.loads(
            content or b"",
            parse_float=Decimal,
            object_pairs_hook=_object,
            parse_constant=_no_number,
        )
    except (ValueError, RecursionError):
        raise InvalidCommand("no JSON") from None
    if not isinstance(value, dict):
        raise InvalidCommand("no object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> Json:
    if len(dict(pairs)) < len(pairs):
        raise InvalidCommand("a member twice")
    return dict(pairs)


def _no_number(text: str) -> None:
    raise InvalidCommand(text)


def _check(kind: str, body: Json) -> None:
    if any(body.get(name) is None for name in _REQUIRED[kind]):
        raise InvalidCommand("a field is missing")
    if "status" in body and str(body["status"]).lower() not in _STATUSES:
        raise InvalidCommand("status")
    if kind in {REGISTER, REPLACE}:
        lines = body["lineItems"].get("items") if isinstance(body["lineItems"], dict) else None
        if not isinstance(lines, list) or not lines or not all(map(_is_line, lines)):
            raise InvalidCommand("lineItems")
        if not isinstance(body["contact"], dict) or not body["contact"].get("matchKey"):
            raise InvalidCommand("contact")


def _check_times(body: Json, appended: datetime) -> None:
    said = [body[name] for name in ("createdAt", "lastChangedAt") if body.get(name) is not None]
    if any(datetime.fromisoformat(it) > appended + _AHEAD for it in said):
        raise InvalidCommand("a time ahead")


def _is_line(line: Any) -> bool:
    needed = ("type", "sku", "quantity", "totalPrice")
    return isinstance(line, dict) and all(line.get(name) is not None for name in needed)
