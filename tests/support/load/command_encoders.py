"""Encodes a command of the model as a request of the Orders API, or as a record. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from support.builders.raw_records import RawRecord
from support.model.model import ACTION, DELETE, DELIVERY, REGISTER, REPLACE, STATUS, ModelCommand
from support.stack.async_api_client import order_path

ENDPOINTS = {
    REGISTER: ("POST", None),
    REPLACE: ("PUT", ""),
    DELETE: ("DELETE", ""),
    STATUS: ("POST", "change-status"),
    DELIVERY: ("POST", "change-delivery"),
    ACTION: ("POST", "action"),
}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    path: str
    headers: dict[str, str]
    body: Any = None


def http_request(command: ModelCommand, *, wait: int | None = None) -> HttpRequest:
    method, call = ENDPOINTS[command.kind]
    headers = {
        "if-match": command.if_match,
        "idempotency-key": command.key,
        "prefer": None if wait is None else f"wait={wait}",
    }
    return HttpRequest(
        method,
        "/orders" if call is None else order_path(command.order_id, call),
        {name: text for name, text in headers.items() if text is not None},
        None if command.kind == DELETE else command.body,
    )


def raw_record_of(command: ModelCommand) -> RawRecord:
    headers = {
        "ce_id": command.job_id,
        "ce_source": "/tests",
        "ce_type": f"{command.kind}.v1",
        "ce_ifmatch": command.if_match,
        "ce_idempotencykey": command.key,
        "ce_actions": "suppress" if command.suppressed else None,
        "ce_registration": command.registration,
        "ce_contactsince": None if command.contact_since is None else str(command.contact_since),
    }
    return RawRecord(
        command.order_id,
        json.dumps({**command.body, "orderId": command.order_id}).encode(),
        {name: text for name, text in headers.items() if text},
    )
