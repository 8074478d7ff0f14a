"""
Keyset pagination: a page starts at a cursor, so that pages are stable while others write. Pure.

A cursor is opaque to clients: base64 of the JSON array [milliseconds, id, 1 if backward].
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from gateway.domain.query_params import invalid_parameter
from order_contracts.answers import PageLink
from order_contracts.decoding import Invalid, parse
from order_runtime.documents.document import Document

DEFAULT_COUNT: Final = 10
MAX_COUNT: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COUNT: Final = re.compile(r"[0-9]{1,3}", re.ASCII)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position of a row in its list: a time, and the row's `_id` where times are equal."""

    at: datetime
    id: str


class FetchedRows(list[Document]):
    """The documents of a page, and one more where there are more; fewer where they are large."""

    cut = False
    """Whether there are more, but those that are here are all that an answer should hold."""


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page in the order of the list, and links to the next and previous pages."""

    rows: Sequence[Document]
    links: tuple[PageLink, ...]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The page that a query asks for: `count` rows after the cursor, or before it if backward."""

    sort_field: str
    """The field of the documents with the time by which the list is sorted."""
    ascending: bool = False
    """Whether the first row of the list is the oldest."""
    count: int = DEFAULT_COUNT
    cursor: Cursor | None = None
    backward: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    """The other parameters of the query, which the links repeat."""

    @property
    def limit(self) -> int:
        """How many rows to fetch: one more than the page has tells whether there are more."""
        return self.count + 1

    def filter(self) -> Mapping[str, Any]:
        """Return the MongoDB filter for the rows beyond the cursor."""
        if self.cursor is None:
            return {}
        beyond, at = "$gt" if self.oldest_first else "$lt", self.cursor.at
        same_time = {self.sort_field: at, "_id": {beyond: self.cursor.id}}
        # The first condition follows from the other one; by it an index is read from the cursor on.
        return {
            self.sort_field: {f"{beyond}e": at},
            "$or": [{self.sort_field: {beyond: at}}, same_time],
        }

    def sort(self) -> dict[str, int]:
        """Return the MongoDB sort order in which to fetch; going backward it is the reverse."""
        direction = 1 if self.oldest_first else -1
        return {self.sort_field: direction, "_id": direction}

    def page(self, fetched: Sequence[Document], url: str, scanned: Document | None = None) -> Page:
        """
        Return the page of rows that were fetched by `filter`, `sort` and `limit`.

        Its links begin at rows that have a place in the list; a damaged one may have none. Where
        looking for rows was given up at the row *scanned*, the list goes on behind that one.
        """
        cut = isinstance(fetched, FetchedRows) and fetched.cut
        rows, has_more = list(fetched[: self.count]), cut or len(fetched) > self.count
        edge = None if has_more or scanned is None else self._cursor_of(scanned)
        has_more = has_more or edge is not None
        if self.backward:
            rows.reverse()
        has_next = self.backward or has_more
        has_previous = has_more if self.backward else self.cursor is not None
        places = [place for row in rows if (place := self._cursor_of(row)) is not None]
        first, last = (places[0], places[-1]) if places else [self.cursor] * 2
        first, last = (edge or first, last) if self.backward else (first, edge or last)
        links = []
        if has_next and last is not None:
            links.append(PageLink(rel="next", href=self._href(url, last, backward=False)))
        if has_previous and first is not None:
            links.append(PageLink(rel="previous", href=self._href(url, first, backward=True)))
        return Page(rows, tuple(links))

    @property
    def oldest_first(self) -> bool:
        """Whether rows are fetched with the oldest first."""
        return self.ascending != self.backward

    def behind(self, row: Document, count: int) -> PageRequest | None:
        """Return the request for *count* rows behind *row*; None if that has no place."""
        cursor = self._cursor_of(row)
        return replace(self, cursor=cursor, count=count) if cursor is not None else None

    def _cursor_of(self, row: Document) -> Cursor | None:
        at, row_id = row.get(self.sort_field), row["_id"]
        if isinstance(at, datetime) and isinstance(row_id, str):
            return Cursor(at, row_id)
        return None

    def _href(self, url: str, cursor: Cursor, *, backward: bool) -> str:
        token = _encoded(cursor, backward=backward)
        return f"{url}?{urlencode({**self.parameters, 'continuation': token})}"


def page_request(
    query: Mapping[str, str], sort_field: str, *, ascending: bool = False
) -> PageRequest:
    """Return the page that *query* asks for by `count` and `continuation`; raises Invalid."""
    count = query.get("count", str(DEFAULT_COUNT))
    if not (_COUNT.fullmatch(count) and 1 <= int(count) <= MAX_COUNT):
        raise invalid_parameter("count", f"Must be a number from 1 to {MAX_COUNT}")
    token = query.get("continuation")
    cursor, backward = _decoded(token) if token is not None else (None, False)
    parameters = {name: value for name, value in query.items() if name != "continuation"}
    return PageRequest(sort_field, ascending, int(count), cursor, backward, parameters)


def _encoded(cursor: Cursor, *, backward: bool) -> str:
    content = [(cursor.at - _EPOCH) // _MILLISECOND, cursor.id, int(backward)]
    return urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _decoded(token: str) -> tuple[Cursor, bool]:
    try:
        content = parse(urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4)))
    except ValueError:
        raise _invalid_token() from None
    match content:
        case [int(milliseconds), str(row_id), 0 | 1 as backward]:
            return _cursor(milliseconds, row_id), bool(backward)
    raise _invalid_token()


def _cursor(milliseconds: int, row_id: str) -> Cursor:
    try:
        return Cursor(_EPOCH + timedelta(milliseconds=milliseconds), row_id)
    except OverflowError:
        raise _invalid_token() from None


def _invalid_token() -> Invalid:
    return invalid_parameter("continuation", "Must be taken from a link as it is")
