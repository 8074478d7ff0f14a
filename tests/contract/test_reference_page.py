"""The reference page: complete, its links lead somewhere, and nothing is loaded from outside."""

from __future__ import annotations

import json
from html.parser import HTMLParser

from gateway.api_docs.page import PAGE, SECURITY_HEADERS
from order_contracts.errors import STATUS
from order_contracts.specs.openapi import document

LOADING = {"audio", "base", "embed", "iframe", "img", "link", "object", "script", "video"}
NOT_OF_A_CALL = {"NotFound", "MethodNotAllowed", "IdReused"}


class Seen(HTMLParser):
    """The tags, ids and links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        assert "src" not in named
        self.tags.add(tag)
        self.ids += [named["id"]] if "id" in named else []
        self.links |= {named["href"]} if "href" in named else set()


SEEN = Seen(PAGE)


def test_it_loads_nothing() -> None:
    """No script, image or style sheet, and the browser is told to allow none."""
    assert "h1" in SEEN.tags
    assert SEEN.tags & LOADING == set()
    assert "url(" not in PAGE
    assert "@import" not in PAGE
    assert SECURITY_HEADERS["Content-Security-Policy"].startswith("default-src 'none'")


def test_its_links_stay_on_the_page_and_lead_somewhere() -> None:
    targets = {link.removeprefix("#") for link in SEEN.links if link != "openapi.json"}
    assert targets == set(SEEN.ids)
    assert len(SEEN.ids) == len(set(SEEN.ids))


def test_it_tells_every_call_every_model_and_every_error() -> None:
    openapi = json.loads(document())
    calls = {call["operationId"] for path in openapi["paths"].values() for call in path.values()}
    assert calls | openapi["components"]["schemas"].keys() == set(SEEN.ids)
    assert {code for code in STATUS if code not in PAGE} <= NOT_OF_A_CALL


def test_the_page_is_framed_by_nobody_and_tells_nobody_of_its_readers() -> None:
    """It loads nothing, sends nothing, and is read as nothing but HTML."""
    policy = SECURITY_HEADERS["Content-Security-Policy"].split("; ")
    nothing = {
        f"{it} 'none'" for it in ("default-src", "base-uri", "form-action", "frame-ancestors")
    }
    assert set(policy) == nothing | {"style-src 'unsafe-inline'"}
    assert SECURITY_HEADERS["X-Content-Type-Options"] == "nosniff"
    assert SECURITY_HEADERS["Referrer-Policy"] == "no-referrer"
