"""The reference page: the OpenAPI document as HTML that loads no other resource."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway.api_docs.models import models, reference, type_of
from gateway.api_docs.text import STYLE, details, example, table, text
from order_contracts.specs.openapi import document

SECURITY_HEADERS: Final = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
)


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
    call_links = "".join(
        f"<a href=#{call['operationId']}>{_method(method)}{text(call['operationId'])}</a>"
        for _, method, call in calls
    )
    model_links = "".join(f"<a href=#{name}>{text(name)}</a>" for name in schemas)
    return f"<b>Calls</b>{call_links}<b>Models</b>{model_links}"


def _method(method: str) -> str:
    return f"<span class='m {method}'>{method}</span>"


def _call(path: str, method: str, call: Mapping[str, Any]) -> str:
    head = f"<h2 id={call['operationId']}>{_method(method)}<code>{text(path)}</code></h2>"
    summary = f"<p>{text(call['summary'])}</p><p class=s>{text(call['description'])}</p>"
    return f"<section>{head}{summary}{_parameters(call)}{_body(call)}{_answers(call)}</section>"


def _parameters(call: Mapping[str, Any]) -> str:
    rows = [
        (
            f"<code>{text(parameter['name'])}</code>",
            f"{parameter['in']}{', required' if parameter['required'] else ''}",
            type_of(parameter["schema"]),
            text(parameter.get("description", "")),
        )
        for parameter in call["parameters"]
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
        (f"<b>{status}</b>", text(response["description"]) + _content(response))
        for status, response in call["responses"].items()
    ]
    return f"<h3>Answers</h3>{table(('Status', 'Means'), rows)}"


def _content(response: Mapping[str, Any]) -> str:
    """Return the headers of an answer, the name of its model and its examples."""
    names = ", ".join(f"<code>{text(name)}</code>" for name in response.get("headers", ()))
    shown = f"<div class=s>Headers: {names}</div>" if names else ""
    for content in response.get("content", {}).values():
        values = [content["example"]] if "example" in content else []
        values += [named["value"] for named in content.get("examples", {}).values()]
        examples = "".join(map(example, values))
        shown += details(f"Example {reference(content['schema'])}", examples)
    return shown


PAGE: Final = page(json.loads(document()))
