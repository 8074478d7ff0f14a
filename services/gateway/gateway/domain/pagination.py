"""Pages that are stable under writes: a cursor between two rows, forward or back. Pure."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from gateway.domain.query_params import invalid_parameter
from order_contracts.answers import PageLink
from order_contracts.decoding import Invalid, parse

T = TypeVar("T")

DEFAULT_COUNT: Final = 10
MAX_COUNT: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COUNT: Final = re.compile(r"[0-9]{1,3}", re.ASCII)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A row's place in its list: a time, and an id where times are equal."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows are asked for: `count` of them, behind or before a place."""

    count: int = DEFAULT_COUNT
    cursor: Cursor | None = None
    back: bool = False
    ascending: bool = False
    """Whether the list's first row is its oldest."""

    def where(self, at: str, row_id: str = "_id") -> Mapping[str, Any]:
        """Return the filter for the rows of this page, by the names of the two fields."""
        if self.cursor is None:
            return {}
        than = "$gt" if self.upward else "$lt"
        place = self.cursor
        return {
            "$or": [{at: {than: place.at}}, {at: place.at, row_id: {than: place.id}}],
        }

    def sort(self, at: str, row_id: str = "_id") -> dict[str, int]:
        direction = 1 if self.upward else -1
        return {at: direction, row_id: direction}

    @property
    def upward(self) -> bool:
        return self.ascending != self.back


@dataclass(frozen=True, slots=True)
class PageRows:
    """A page's rows in the list's own order, and what lies before and behind them."""

    rows: Sequence[Any]
    previous: bool
    next: bool


def page_rows(found: Sequence[T], page: Page) -> PageRows:
    """Return the page of the rows *found*, of which one more than `count` was asked for."""
    rows, more = list(found[: page.count]), len(found) > page.count
    if page.back:
        return PageRows(rows[::-1], previous=more, next=True)
    return PageRows(rows, previous=page.cursor is not None, next=more)


def page_of(query: Mapping[str, str], *, ascending: bool = False) -> Page:
    """Return the page that a query asks for; raises Invalid."""
    count = query.get("count", str(DEFAULT_COUNT))
    if not (_COUNT.fullmatch(count) and 1 <= int(count) <= MAX_COUNT):
        raise invalid_parameter("count", f"Must be a number from 1 to {MAX_COUNT}")
    token = query.get("continuation")
    cursor, back = _read(token) if token is not None else (None, False)
    return Page(int(count), cursor, back, ascending)


def page_links(
    url: str, query: Mapping[str, str], rows: PageRows, first: Cursor | None, last: Cursor | None
) -> tuple[PageLink, ...]:
    """Return the links to the pages beside this one; *first* and *last* are its ends."""
    found = []
    if rows.next and last is not None:
        found.append(PageLink(rel="next", href=_href(url, query, last, back=False)))
    if rows.previous and first is not None:
        found.append(PageLink(rel="previous", href=_href(url, query, first, back=True)))
    return tuple(found)


def _href(url: str, query: Mapping[str, str], place: Cursor, *, back: bool) -> str:
    kept = {name: value for name, value in query.items() if name != "continuation"}
    return f"{url}?{urlencode(kept | {'continuation': _written(place, back=back)})}"


def _written(place: Cursor, *, back: bool) -> str:
    content = [(place.at - _EPOCH) // _MILLISECOND, place.id, int(back)]
    return urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _read(token: str) -> tuple[Cursor, bool]:
    try:
        content = parse(urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4)))
    except ValueError:
        raise _not_ours() from None
    match content:
        case [int(milliseconds), str(row_id), 0 | 1 as back]:
            return _place(milliseconds, row_id), bool(back)
    raise _not_ours()


def _place(milliseconds: int, row_id: str) -> Cursor:
    try:
        return Cursor(_EPOCH + timedelta(milliseconds=milliseconds), row_id)
    except OverflowError:
        raise _not_ours() from None


def _not_ours() -> Invalid:
    return invalid_parameter("continuation", "Must be taken from a link as it is")
