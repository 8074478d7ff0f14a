"""OpenAPI 3.1 of the gateway, made from the models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from order_contracts.base import Message
from order_contracts.errors import STATUS
from order_contracts.examples import NEW_ORDER
from order_contracts.job import Job
from order_contracts.order import Order
from order_contracts.problem import Problem, Receipt

TITLE: Final = "Ordermill Orders API"
VERSION: Final = "3.0.0"
_REF: Final = "#/components/schemas/{model}"
_MODES: Final[Mapping[type[Message], JsonSchemaMode]] = {
    Order: "validation",
    Job: "serialization",
    Receipt: "serialization",
    Problem: "serialization",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One operation, as data."""

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, tuple[str, type[Message] | None]]
    errors: tuple[str, ...]
    scope: str
    body: type[Message] | None = None
    query: tuple[tuple[str, str], ...] = ()


_COMMON: Final = ("Unauthorized", "Forbidden", "NotAcceptable", "InternalError")
CALLS: Final = (
    Call(
        "post",
        "/api/v3/orders",
        "registerOrder",
        "Register an order. Accepted once Kafka has it; applied soon after.",
        {202: ("Accepted: follow the job.", Receipt)},
        (
            "ValidationFailed",
            "OrderExists",
            "TooLarge",
            "UnsupportedMediaType",
            "NotAccepted",
            "OutcomeUnknown",
        ),
        "orders:write",
        body=Order,
    ),
    Call(
        "get",
        "/api/v3/orders/{orderId}",
        "getOrder",
        "Get an order; with contactId, only if it belongs to that contact.",
        {200: ("The order.", Order)},
        ("OrderNotFound", "DatabaseUnavailable"),
        "orders:read",
        query=(("contactId", "The contact that the order must belong to."),),
    ),
    Call(
        "get",
        "/api/v3/orders/jobs/{jobId}",
        "getJob",
        "Get the status of an asynchronous request; a failed job answers its own status.",
        {
            200: ("The job.", Job),
            302: ("With redirect=true: the order of a completed job.", None),
        },
        (
            "JobNotFound",
            "JobExpired",
            "DatabaseUnavailable",
            "ValidationFailed",
            "OrderExists",
            "VersionMismatch",
            "TooLarge",
            "ContactMissing",
        ),
        "orders:read",
        query=(("redirect", "true: answer a completed job with 302 to its order."),),
    ),
)


def document(public_url: str = "https://orders.example.com") -> str:
    """Return the OpenAPI document as JSON text, for a gateway at *public_url*."""
    content = {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": VERSION,
            "description": "Asynchronous orders: commands are accepted, applied once and in order.",
        },
        "servers": [{"url": public_url}],
        "security": [{"apikey": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"apikey": {"type": "apiKey", "in": "header", "name": "apikey"}},
            "schemas": _schemas(),
        },
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _schemas() -> Mapping[str, Any]:
    _, definitions = models_json_schema(list(_MODES.items()), by_alias=True, ref_template=_REF)
    schemas: Mapping[str, Any] = definitions["$defs"]
    return dict(sorted(schemas.items()))


def _paths() -> Mapping[str, Any]:
    paths: dict[str, Any] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method] = _operation(call)
    return paths


def _operation(call: Call) -> Mapping[str, Any]:
    operation: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.summary,
        "description": f"Needs the scope `{call.scope}`.",
        "parameters": [*_path_parameters(call.path), *_query_parameters(call.query)],
        "responses": _answers(call) | _problems((*call.errors, *_COMMON)),
    }
    if call.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(call.body), "example": NEW_ORDER}},
        }
    return operation


def _path_parameters(path: str) -> Iterable[Mapping[str, Any]]:
    for part in path.split("/"):
        if part.startswith("{"):
            schema = {"type": "string", "minLength": 1, "maxLength": 255}
            yield {"name": part[1:-1], "in": "path", "required": True, "schema": schema}


def _query_parameters(query: Iterable[tuple[str, str]]) -> Iterable[Mapping[str, Any]]:
    for name, description in query:
        schema = {"type": "string"}
        yield {"name": name, "in": "query", "description": description, "schema": schema}


def _answers(call: Call) -> dict[str, Any]:
    return {
        str(status): {"description": text}
        | ({"content": {"application/json": {"schema": _ref(model)}}} if model else {})
        for status, (text, model) in call.answers.items()
    }


def _problems(codes: Iterable[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUS[code], []).append(code)
    return {
        str(status): {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(names)}.",
            "content": {"application/problem+json": {"schema": _ref(Problem)}},
        }
        for status, names in sorted(by_status.items())
    }


def _ref(model: type[Message]) -> Mapping[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
