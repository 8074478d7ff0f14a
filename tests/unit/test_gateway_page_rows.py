"""A page of large documents ends early, and its answer is sent in parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pytest
from starlette.types import Message as AsgiMessage

from gateway.adapters.page_rows import PAGE_BYTES, page_rows
from gateway.domain.pagination import FetchedRows, page_request
from gateway.http.responses import PART_BYTES, JsonResponse

AT = datetime(2025, 11, 28, 10, tzinfo=UTC)
URL = "https://orders.example.com/api/v3/orders"


def document(number: int, size: int) -> dict[str, Any]:
    empty = {"_id": f"o-{number}", "at": AT - timedelta(number), "text": ""}
    return empty | {"text": "x" * (size - len(bson.encode(empty)))}


async def batches(*sizes: int, each: int = 100) -> AsyncIterator[bytes]:
    documents = [bson.encode(document(number, size)) for number, size in enumerate(sizes)]
    for at in range(0, len(documents), each):
        yield b"".join(documents[at : at + each])


@pytest.mark.parametrize("each", [1, 2, 100])
@pytest.mark.parametrize(
    ("sizes", "count", "cut"),
    [
        ((), 0, False),
        ((1_000,) * 11, 11, False),
        ((PAGE_BYTES // 4,) * 4, 4, False),
        ((PAGE_BYTES // 4,) * 5, 4, True),
        ((PAGE_BYTES, 100), 1, True),
        ((PAGE_BYTES + 1,), 1, False),
        ((PAGE_BYTES + 1, 100), 1, True),
        ((100, PAGE_BYTES - 99, 100), 1, True),
    ],
)
async def test_rows_are_read_up_to_a_bound(
    sizes: tuple[int, ...], count: int, cut: bool, each: int
) -> None:
    rows = await page_rows(batches(*sizes, each=each))
    assert [row["_id"] for row in rows] == [f"o-{number}" for number in range(count)]
    assert rows.cut is cut


async def test_values_are_decoded_as_everywhere() -> None:
    """Times are aware."""
    (row,) = await page_rows(batches(200))
    assert row == document(0, 200)


def rows(count: int, *, cut: bool) -> FetchedRows:
    found = FetchedRows({"_id": f"o-{n}", "at": AT - timedelta(n)} for n in range(count))
    found.cut = cut
    return found


@pytest.mark.parametrize("cut", [True, False])
def test_a_page_that_ended_early_has_a_next_one(*, cut: bool) -> None:
    asked = page_request({"count": "10"}, "at")
    page = asked.page(rows(3, cut=cut), URL)
    assert len(page.rows) == 3
    assert [link.rel for link in page.links] == (["next"] if cut else [])


@pytest.mark.parametrize("cut", [True, False])
def test_a_page_backward_that_ended_early_has_a_previous_one(*, cut: bool) -> None:
    first = page_request({"count": "10"}, "at").page(rows(11, cut=False), URL)
    token = first.links[0].href.partition("continuation=")[2]
    back = page_request({"count": "10", "continuation": token}, "at").page(rows(2, cut=cut), URL)
    assert {link.rel for link in back.links} >= {"previous"}


@pytest.mark.parametrize("size", [0, 10, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES])
async def test_an_answer_is_sent_in_parts_that_make_it_up(size: int) -> None:
    sent: list[AsgiMessage] = []

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    async def receive() -> AsgiMessage:
        raise AssertionError

    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    await JsonResponse(body, 207, {"ETag": '"a"'})({"type": "http"}, receive, send)
    start, *parts = sent
    assert start["status"] == 207
    assert (b"content-length", str(size).encode()) in start["headers"]
    assert (b"etag", b'"a"') in start["headers"]
    assert (b"content-type", b"application/json") in start["headers"]
    assert b"".join(part["body"] for part in parts) == body
    assert max(len(part["body"]) for part in parts) <= PART_BYTES
    assert [part.get("more_body", False) for part in parts] == [True] * (len(parts) - 1) + [False]
