"""HTML fragments of the reference page. Pure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--line:#8883;--soft:#8881;--link:light-dark(#1a56db,#8ab4f8)}
*{box-sizing:border-box}html{scroll-padding-top:1rem}
body{font:15px/1.55 system-ui,sans-serif;margin:0;display:grid;
grid-template-columns:17rem minmax(0,1fr)}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1.5rem 1rem;
border-right:1px solid var(--line);font-size:13px}
nav a{display:block;padding:.15rem 0;color:inherit;text-decoration:none}
nav b{display:block;margin:1.2rem 0 .4rem}nav b:first-child{margin-top:0}
main{padding:1.5rem 2.5rem 6rem;max-width:62rem}a{color:var(--link)}
h1{margin-top:0}h2{font-size:1.15rem;margin:0}h3{font-size:.95rem;margin:1.4rem 0 .4rem}
section{margin-top:2.5rem;padding-top:1.5rem;border-top:1px solid var(--line)}
code,pre{font:13px/1.5 ui-monospace,monospace}h2 code{overflow-wrap:anywhere}
pre{overflow:auto;padding:.8rem;background:var(--soft);border-radius:.4rem;margin:.4rem 0}
.m{display:inline-block;min-width:3.6em;margin-right:.6em;padding:0 .4em;border-radius:.3em;
font:700 11px/1.7 ui-monospace,monospace;text-transform:uppercase;text-align:center;color:#fff}
.get{background:#1a7f52}.post{background:#1a56db}.put{background:#9a5b00}.delete{background:#b42318}
.s{color:light-dark(#666,#aaa);font-size:13px}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.35rem 1rem .35rem 0}
tr{border-bottom:1px solid var(--line)}th{font-size:12px;font-weight:600}summary{cursor:pointer}
@media(max-width:60rem){body{display:block}main{padding:1rem}
nav{position:static;height:auto;border:0}}
"""
_CODE: Final = re.compile(r"`([^`]*)`")


def text(value: str) -> str:
    """Return *value* as HTML, with text in backticks as code."""
    return _CODE.sub(r"<code>\1</code>", html.escape(value))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose cells are HTML, or nothing where there is no row."""
    if not rows:
        return ""
    head = "".join(f"<th>{title}" for title in heads)
    return f"<table><tr>{head}{''.join('<tr>' + _cells(row) for row in rows)}</table>"


def _cells(row: Sequence[str]) -> str:
    return "".join(f"<td>{cell}" for cell in row)


def details(summary: str, content: str) -> str:
    """Return *content* folded under its *summary*, or nothing where there is none."""
    return f"<details><summary>{summary}</summary>{content}</details>" if content else ""


def example(value: object) -> str:
    """Return *value* as preformatted JSON, or text as it is."""
    shown = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return f"<pre>{html.escape(shown)}</pre>"
