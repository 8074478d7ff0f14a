"""The reference page: the OpenAPI document as people read it; loads nothing from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.api_docs.models import models, reference, type_of
from gateway.api_docs.text import STYLE, details, example, table, text
from order_contracts.specs.openapi import document

CONTENT_SECURITY_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def page(openapi: Mapping[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    info, schemas = openapi["info"], openapi["components"]["schemas"]
    calls = list(_calls(openapi))
    content = "".join(_call(path, method, call) for path, method, call in calls)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{text(info['title'])}</title><style>{STYLE}</style>"
        f"<nav>{_contents(calls, schemas)}</nav><main>"
        f"<h1>{text(info['title'])}</h1><p>{text(info['description'])}</p>"
        "<p>Send your key in the header <code>apikey</code>. "
        "The same for machines: <a href=openapi.json>openapi.json</a>.</p>"
        f"{content}{models(schemas)}</main></html>"
    )


def _calls(openapi: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in openapi["paths"].items():
        for method, call in methods.items():
            yield path, method, call


def _contents(calls: list[tuple[str, str, Mapping[str, Any]]], schemas: Mapping[str, Any]) -> str:
    named = "".join(
        f"<a href=#{call['operationId']}>{_method(method)}{text(call['operationId'])}</a>"
        for _, method, call in calls
    )
    modelled = "".join(f"<a href=#{name}>{text(name)}</a>" for name in schemas)
    return f"<b>Calls</b>{named}<b>Models</b>{modelled}"


def _method(method: str) -> str:
    return f"<span class='m {method}'>{method}</span>"


def _call(path: str, method: str, call: Mapping[str, Any]) -> str:
    head = f"<h2 id={call['operationId']}>{_method(method)}<code>{text(path)}</code></h2>"
    told = f"<p>{text(call['summary'])}</p><p class=s>{text(call['description'])}</p>"
    return f"<section>{head}{told}{_parameters(call)}{_body(call)}{_answers(call)}</section>"


def _parameters(call: Mapping[str, Any]) -> str:
    rows = [
        (
            f"<code>{text(one['name'])}</code>",
            f"{one['in']}{', required' if one['required'] else ''}",
            type_of(one["schema"]),
            text(one.get("description", "")),
        )
        for one in call["parameters"]
    ]
    return table(("Parameter", "In", "Type", "Means"), rows)


def _body(call: Mapping[str, Any]) -> str:
    contents = call.get("requestBody", {}).get("content", {})
    return "".join(
        f"<h3>Body <code>{text(kind)}</code> {reference(content['schema'])}</h3>"
        f"{details('Example', example(content['example']))}"
        for kind, content in contents.items()
    )


def _answers(call: Mapping[str, Any]) -> str:
    rows = [
        (f"<b>{status}</b>", text(one["description"]) + _content(one))
        for status, one in call["responses"].items()
    ]
    return f"<h3>Answers</h3>{table(('Status', 'Means'), rows)}"


def _content(response: Mapping[str, Any]) -> str:
    """Return what an answer holds: its headers, its model and its examples."""
    headers = ", ".join(f"<code>{text(name)}</code>" for name in response.get("headers", ()))
    told = f"<div class=s>Headers: {headers}</div>" if headers else ""
    for content in response.get("content", {}).values():
        given = [content["example"]] if "example" in content else []
        named = [one["value"] for one in content.get("examples", {}).values()]
        shown = "".join(map(example, given + named))
        told += details(f"Example {reference(content['schema'])}", shown)
    return told


PAGE: Final = page(json.loads(document()))
