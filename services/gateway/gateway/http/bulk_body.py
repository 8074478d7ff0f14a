"""Reading the body of a bulk registration: a JSON array, or lines of JSON."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from starlette.requests import Request

from gateway.domain.problem_error import ProblemError
from gateway.http.request_body import JSON, MAX_BODY, body_too_large, media_type, read_body
from order_contracts.answers import MAX_ROWS
from order_contracts.decoding import Invalid, parse
from order_contracts.errors import FieldError

MAX_BULK: Final = 8 * 1024 * 1024
NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})


@dataclass(frozen=True, slots=True)
class BulkInput:
    """One row of the body: its parsed JSON, or why it can't be read."""

    index: int
    value: Any = None
    error: Invalid | ProblemError | None = None


async def read_rows(request: Request) -> list[BulkInput]:
    """Return the rows of the body; raises ProblemError or Invalid where it is no list of them."""
    kind = media_type(request)
    if kind != JSON and kind not in NDJSON:
        raise ProblemError("UnsupportedMediaType", "Send application/json or application/x-ndjson.")
    content = await read_body(request, MAX_BULK)
    rows = list(islice(_lines(content) if kind in NDJSON else _items(content), MAX_ROWS + 1))
    if not 1 <= len(rows) <= MAX_ROWS:
        message = f"Must have 1 to {MAX_ROWS} orders"
        raise Invalid((FieldError(pointer="", code="OutOfRange", message=message),))
    return rows


def _items(content: bytes) -> Iterator[BulkInput]:
    value = parse(content)
    if not isinstance(value, list):
        raise Invalid((FieldError(pointer="", code="Invalid", message="Must be an array"),))
    return (BulkInput(index, item) for index, item in enumerate(value))


def _lines(content: bytes) -> Iterator[BulkInput]:
    content = content.removeprefix(BOM_UTF8)
    lines = (line for line in content.split(b"\n") if line.strip())
    for index, line in enumerate(lines):
        if len(line) > MAX_BODY:
            yield BulkInput(index, error=body_too_large(MAX_BODY))
            continue
        try:
            yield BulkInput(index, parse(line))
        except Invalid as error:
            yield BulkInput(index, error=error)
