"""The reference page: the OpenAPI document as people read it; loads nothing from outside."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from order_contracts.openapi import document

_STYLE: Final = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;
margin:2rem auto;padding:0 1rem}code,pre{font:14px/1.45 ui-monospace,monospace}
pre{overflow:auto;padding:.8rem;background:#8881;border-radius:.4rem}
h2{margin-top:2.5rem;border-top:1px solid #8885;padding-top:1rem}
.m{font-weight:700;text-transform:uppercase}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.25rem .8rem .25rem 0}
tr{border-bottom:1px solid #8883}
"""


def page(openapi: Mapping[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    info = openapi["info"]
    content = "".join(_call(path, method, call) for path, method, call in _calls(openapi))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{_text(info['title'])}</title><style>{_STYLE}</style>"
        f"<h1>{_text(info['title'])}</h1><p>{_text(info['description'])}</p>"
        f"<p>The same for machines: <a href=openapi.json>openapi.json</a>.</p>{content}</html>"
    )


def _calls(openapi: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in openapi["paths"].items():
        for method, call in methods.items():
            yield path, method, call


def _call(path: str, method: str, call: Mapping[str, Any]) -> str:
    title = f"<span class=m>{method}</span> <code>{_text(path)}</code>"
    head = f"<h2 id={call['operationId']}>{title}</h2>"
    told = f"<p>{_text(call['summary'])} {_text(call['description'])}</p>"
    return head + told + _parameters(call) + _body(call) + _answers(call)


def _parameters(call: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{_text(one['name'])}</code><td>{_text(one['in'])}"
        f"<td>{_text(one.get('description', ''))}"
        for one in call["parameters"]
    )
    return f"<table><tr><th>Parameter<th>In<th>Means{rows}</table>" if rows else ""


def _body(call: Mapping[str, Any]) -> str:
    contents = call.get("requestBody", {}).get("content", {})
    return "".join(
        f"<p>Body, <code>{_text(kind)}</code>:</p>{_example(content.get('example'))}"
        for kind, content in contents.items()
    )


def _answers(call: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{status}<td>{_text(one['description'])}{_examples(one)}"
        for status, one in call["responses"].items()
    )
    return f"<table><tr><th>Status<th>Answer{rows}</table>"


def _examples(response: Mapping[str, Any]) -> str:
    examples = [one["example"] for one in response.get("content", {}).values() if "example" in one]
    if not examples:
        return ""
    return f"<details><summary>Example</summary>{''.join(map(_example, examples))}</details>"


def _example(value: object) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return f"<pre>{_text(shown)}</pre>" if value is not None else ""


def _text(value: str) -> str:
    return html.escape(value)


PAGE: Final = page(json.loads(document()))
