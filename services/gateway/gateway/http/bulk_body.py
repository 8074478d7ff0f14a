"""Reading the body of a bulk registration: its rows are counted before one of them is parsed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from gateway.domain.json_items import array_items
from gateway.domain.problem_error import ProblemError
from gateway.http.request_body import JSON, MAX_BODY, body_too_large, media_type, read_body
from gateway.http.turns import Turns
from order_contracts.answers import MAX_ROWS
from order_contracts.decoding import Invalid, parse
from order_contracts.errors import FieldError

MAX_BULK: Final = 8 * 1024 * 1024
NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_LINE: Final = re.compile(rb"[^ \t\r\n][^\n]*")


@dataclass(frozen=True, slots=True)
class BulkInput:
    """One row of the body, not parsed yet."""

    index: int
    content: bytes
    of_array: bool
    """Whether the body is one JSON document: a row that is no JSON makes it none, too."""

    def value(self) -> Any:
        """
        Return the parsed JSON of the row.

        Raises ProblemError or Invalid for the row, NotJson for the body.
        """
        if len(self.content) > MAX_BODY:
            raise body_too_large(MAX_BODY)
        try:
            return parse(self.content)
        except Invalid as error:
            raise NotJson(error.errors) if self.of_array else error from None


class NotJson(Invalid):
    """The body as a whole is not JSON."""


async def read_rows(request: Request) -> list[BulkInput]:
    """Return the rows of the body; raises ProblemError or Invalid where it is no list of them."""
    kind = media_type(request)
    if kind != JSON and kind not in NDJSON:
        raise ProblemError("UnsupportedMediaType", "Send application/json or application/x-ndjson.")
    content = await read_body(request, MAX_BULK)
    of_array = kind == JSON
    parts = array_items(content) if of_array else lines(content)
    turns, found = Turns(), []
    for part in parts:
        await turns.give_way()
        if part is not None:
            found.append(part)
        if len(found) > MAX_ROWS:
            break
    if not 1 <= len(found) <= MAX_ROWS:
        message = f"Must have 1 to {MAX_ROWS} orders"
        raise Invalid((FieldError(pointer="", code="OutOfRange", message=message),))
    return [BulkInput(index, part, of_array) for index, part in enumerate(found)]


def lines(content: bytes) -> Iterator[bytes]:
    """Yield the lines that aren't blank."""
    return (found[0] for found in _LINE.finditer(content))
