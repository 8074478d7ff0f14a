"""OpenAPI 3.1 of the gateway, made from the models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from order_contracts.answers import MAX_ROWS
from order_contracts.base import Message
from order_contracts.derived_ids import JOB_ID
from order_contracts.errors import STATUS
from order_contracts.problem import Problem, Receipt
from order_contracts.routes import ORDERS
from order_contracts.specs.calls import CALLS, Body, Call, Parameter
from order_contracts.specs.examples import problem_example
from order_contracts.values import ORDER_ID

TITLE: Final = "Ordermill Orders API"
VERSION: Final = "3.0.0"
_REF: Final = "#/components/schemas/{model}"
_COMMON: Final = (
    "Unauthorized",
    "Forbidden",
    "NotAcceptable",
    "RateLimited",
    "HeadersTooLarge",
    "InternalError",
    "Overloaded",
)
_NDJSON: Final = "application/x-ndjson"


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
    """Return every model that a call names, as it is read: what is written is narrower."""
    bodies = {call.body.model for call in CALLS if call.body is not None}
    answers = {one.model for call in CALLS for one in call.answers.values() if one.model}
    models: set[type[Message]] = {*bodies, *answers, Problem}
    read: list[tuple[type[Message], JsonSchemaMode]] = [
        (model, "validation") for model in sorted(models, key=lambda model: model.__name__)
    ]
    _, definitions = models_json_schema(read, by_alias=True, ref_template=_REF)
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
        "parameters": [*_path_parameters(call.path), *map(_parameter, call.parameters)],
        "responses": _responses(call),
    }
    if call.body is not None:
        operation["requestBody"] = {"required": True, "content": _body(call.body)}
    return operation


_ID: Final = {"type": "string", "minLength": 1, "maxLength": 255}
_IDS: Final[Mapping[str, Any]] = {
    "orderId": {**_ID, "pattern": ORDER_ID},
    "jobId": {**_ID, "pattern": f"^{JOB_ID.pattern}$"},
}


def _path_parameters(path: str) -> Iterator[Mapping[str, Any]]:
    for part in path.split("/"):
        if part.startswith("{"):
            name = part[1:-1]
            yield {"name": name, "in": "path", "required": True, "schema": _IDS[name]}


def _parameter(of: Parameter) -> Mapping[str, Any]:
    return {
        "name": of.name,
        "in": of.where,
        "required": of.required,
        "description": of.means,
        "schema": of.schema,
    }


def _body(body: Body) -> Mapping[str, Any]:
    if not body.many:
        return {"application/json": {"schema": _ref(body.model), "example": body.example}}
    rows = {"type": "array", "items": _ref(body.model), "minItems": 1, "maxItems": MAX_ROWS}
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in body.example)
    return {
        "application/json": {"schema": rows, "example": body.example},
        _NDJSON: {"schema": {"type": "string"}, "example": lines},
    }


def _responses(call: Call) -> Mapping[str, Any]:
    responses = _problems((*call.errors, *_COMMON))
    for status, one in call.answers.items():
        told = responses.setdefault(str(status), {})
        told["description"] = one.means
        if one.model is not None:
            content = {"schema": _ref(one.model), "example": one.example}
            told.setdefault("content", {})["application/json"] = content
        if one.headers:
            told["headers"] = _headers(one.headers)
        if one.model is Receipt:
            told["links"] = _links()
    return dict(sorted(responses.items()))


_HEADERS: Final[Mapping[str, tuple[str, Any]]] = {
    "ETag": ("The versionTag in quotes, for If-Match.", {"type": "string"}),
    "Location": ("Where to look next.", {"type": "string", "format": "uri"}),
    "Preference-Applied": ("The preference that was honoured.", {"type": "string"}),
    "RateLimit-Limit": ("Requests a second.", {"type": "integer"}),
    "RateLimit-Remaining": ("Requests left.", {"type": "integer"}),
    "RateLimit-Reset": ("Seconds until there are more.", {"type": "integer"}),
    "Retry-After": ("Seconds.", {"type": "integer"}),
    "WWW-Authenticate": ("How to authenticate.", {"type": "string"}),
}
_REASONS: Final[Mapping[int, str]] = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
"""Our own, since the phrases of Python's `http` depend on its version."""
_PROBLEM_HEADERS: Final[Mapping[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
    503: ("Retry-After",),
}


def _headers(names: Iterable[str]) -> Mapping[str, Any]:
    return {
        name: {"required": True, "description": means, "schema": schema}
        for name, (means, schema) in ((name, _HEADERS[name]) for name in names)
    }


def _links() -> Mapping[str, Any]:
    """Return what can be asked next about a command that was accepted."""
    followed = {"orderId": "$response.body#/orderId", "jobId": "$response.body#/jobId"}
    return {
        call.name: {"operationId": call.name, "parameters": {name: followed[name]}}
        for call in CALLS
        for name in followed
        if call.path.startswith(f"{ORDERS}/") and f"{{{name}}}" in call.path
    }


def _problems(codes: Iterable[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(STATUS[code], []).append(code)
    return {
        str(status): {
            "headers": _headers(_PROBLEM_HEADERS.get(status, ())),
            "description": f"{_REASONS[status]}: {', '.join(names)}.",
            "content": {
                "application/problem+json": {
                    "schema": _ref(Problem),
                    "examples": {name: {"value": problem_example(name)} for name in names},
                }
            },
        }
        for status, names in by_status.items()
    }


def _ref(model: type[Message]) -> Mapping[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
