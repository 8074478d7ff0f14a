"""Pages by cursor: defaults and bounds, both directions, and the links at both ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.pagination import Cursor, Page, PageRequest, page_request
from order_contracts.decoding import Invalid
from support.builders.order_strategies import text

AT = datetime(2025, 11, 28, 10, 0, 0, 123_000, UTC)
URL = "https://orders.example.com/api/v3/orders"
CURSOR = Cursor(AT, "o-1")
TIMES = st.integers(-(10**12), 10**13).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"_id": f"o-{n}", "at": AT + timedelta(n)} for n in range(first, first + count)]


def hrefs(page: Page) -> dict[str, str]:
    return {link.rel: link.href for link in page.links}


def query_of(href: str) -> Mapping[str, str]:
    return dict(parse_qsl(urlsplit(href).query))


def followed(page: Page, rel: str, *, ascending: bool = False) -> PageRequest:
    """Return the request that a client makes by following a link."""
    return page_request(query_of(hrefs(page)[rel]), "at", ascending=ascending)


def ids(page: Page) -> list[str]:
    return [row["_id"] for row in page.rows]


def test_a_page_has_ten_rows_unless_the_query_says_otherwise() -> None:
    asked = page_request({}, "at")
    assert (asked.count, asked.limit) == (10, 11)
    assert (asked.sort_field, asked.ascending, asked.cursor, asked.backward) == (
        "at",
        False,
        None,
        False,
    )
    assert PageRequest("at").count == 10


@pytest.mark.parametrize("count", [1, 2, 99, 100])
def test_a_page_has_from_1_to_100_rows(count: int) -> None:
    assert page_request({"count": str(count)}, "at").count == count


@pytest.mark.parametrize("count", ["0", "101", "-1", "+5", "1.0", "", "ten", "١", "1000", "00000"])
def test_any_other_count_is_refused_with_a_pointer(count: str) -> None:
    with pytest.raises(Invalid) as refused:
        page_request({"count": count}, "at")
    assert [(error.pointer, error.code, error.message) for error in refused.value.errors] == [
        ("/count", "Invalid", "Must be a number from 1 to 100")
    ]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "!",
        "é",
        "bnVsbA",  # null
        "WzEsMl0",  # [1,2]
        "WzEsImEiLDJd",  # [1,"a",2]
        "WyIxIiwiYSIsMF0",  # ["1","a",0]
        "WzEsMSwwXQ",  # [1,1,0]
        "WzFlOTk5OTk5OTk5LCJhIiwwXQ",  # [1e999999999,"a",0]
        "Wzk5OTk5OTk5OTk5OTk5OTk5OTksImEiLDBd",  # [99999999999999999999,"a",0]
    ],
)
def test_a_continuation_that_no_link_holds_is_refused_with_a_pointer(token: str) -> None:
    with pytest.raises(Invalid) as refused:
        page_request({"continuation": token}, "at")
    assert [(error.pointer, error.message) for error in refused.value.errors] == [
        ("/continuation", "Must be taken from a link as it is")
    ]


@given(TIMES, text(), st.booleans())
def test_a_cursor_comes_back_from_a_link_as_it_was(at: datetime, row_id: str, asc: bool) -> None:
    page = PageRequest("at", asc, 1, CURSOR).page([{"_id": row_id, "at": at}] * 2, URL)
    onward, back = (followed(page, rel, ascending=asc) for rel in ("next", "previous"))
    assert (onward.cursor, onward.backward) == (Cursor(at, row_id), False)
    assert (back.cursor, back.backward) == (Cursor(at, row_id), True)
    assert {onward.ascending, back.ascending} == {asc}


def test_a_token_is_stable_so_that_links_outlive_a_release() -> None:
    page = PageRequest("at", count=1).page(rows(2), URL)
    assert query_of(hrefs(page)["next"]) == {"continuation": "WzE3NjQzMjQwMDAxMjMsICJvLTAiLCAwXQ"}
    asked = page_request({"continuation": "WzE3NjQzMjQwMDAxMjMsICJvLTAiLCAwXQ"}, "at")
    assert asked.cursor == Cursor(AT, "o-0")


@pytest.mark.parametrize(
    ("ascending", "backward", "than", "direction"),
    [
        (False, False, "$lt", -1),
        (False, True, "$gt", 1),
        (True, False, "$gt", 1),
        (True, True, "$lt", -1),
    ],
)
def test_rows_are_fetched_beyond_the_cursor_from_the_nearest(
    *, ascending: bool, backward: bool, than: str, direction: int
) -> None:
    asked = PageRequest("updatedAt", ascending, 5, CURSOR, backward)
    assert asked.filter() == {
        "updatedAt": {f"{than}e": AT},
        "$or": [{"updatedAt": {than: AT}}, {"updatedAt": AT, "_id": {than: "o-1"}}],
    }
    assert list(asked.sort().items()) == [("updatedAt", direction), ("_id", direction)]


def test_without_a_cursor_all_rows_are_fetched() -> None:
    asked = PageRequest("at")
    assert asked.filter() == {}
    assert asked.sort() == {"at": -1, "_id": -1}


def test_the_first_page_of_several_links_to_the_next_alone() -> None:
    page = PageRequest("at", count=3).page(rows(4), URL)
    assert ids(page) == ["o-0", "o-1", "o-2"]
    assert list(hrefs(page)) == ["next"]
    assert followed(page, "next").cursor == Cursor(AT + timedelta(2), "o-2")


def test_a_page_in_the_middle_links_to_both_sides_by_its_own_ends() -> None:
    page = PageRequest("at", count=3, cursor=CURSOR).page(rows(4), URL)
    assert list(hrefs(page)) == ["next", "previous"]
    assert followed(page, "next").cursor == Cursor(AT + timedelta(2), "o-2")
    assert followed(page, "previous").cursor == Cursor(AT, "o-0")


def test_the_last_page_links_to_the_previous_alone() -> None:
    page = PageRequest("at", count=3, cursor=CURSOR).page(rows(3), URL)
    assert ids(page) == ["o-0", "o-1", "o-2"]
    assert list(hrefs(page)) == ["previous"]


def test_the_only_page_has_no_link() -> None:
    assert PageRequest("at", count=3).page(rows(3), URL).links == ()
    empty = PageRequest("at").page([], URL)
    assert (list(empty.rows), empty.links) == ([], ())


def test_a_page_before_a_cursor_has_its_rows_in_the_order_of_the_list() -> None:
    """They are fetched in the reverse order, the nearest to the cursor first."""
    page = PageRequest("at", count=3, cursor=CURSOR, backward=True).page(rows(4), URL)
    assert ids(page) == ["o-2", "o-1", "o-0"]
    assert list(hrefs(page)) == ["next", "previous"]
    assert followed(page, "next").cursor == Cursor(AT, "o-0")
    assert followed(page, "previous").cursor == Cursor(AT + timedelta(2), "o-2")


def test_going_backward_the_first_page_links_to_the_next_alone() -> None:
    page = PageRequest("at", count=3, cursor=CURSOR, backward=True).page(rows(3), URL)
    assert list(hrefs(page)) == ["next"]


def test_a_page_that_became_empty_leads_back_by_its_cursor() -> None:
    """Its rows were deleted since the link was made."""
    onward = PageRequest("at", cursor=CURSOR).page([], URL)
    back = PageRequest("at", cursor=CURSOR, backward=True).page([], URL)
    assert list(hrefs(onward)) == ["previous"]
    assert (followed(onward, "previous").cursor, list(hrefs(back))) == (CURSOR, ["next"])
    assert followed(back, "next").cursor == CURSOR


def test_links_keep_the_other_parameters_of_the_query() -> None:
    query = {"contactId": "a&b é", "count": "2", "status": "completed"}
    first = page_request(query, "at").page(rows(3), URL)
    second = followed(first, "next").page(rows(3, 2), URL)
    for page in (first, second):
        href = hrefs(page)["next"]
        assert href.startswith(f"{URL}?")
        assert {name: query_of(href)[name] for name in query} == query
        assert query_of(href).keys() - query.keys() == {"continuation"}


@pytest.mark.parametrize("backward", [False, True])
def test_a_list_goes_on_behind_the_row_at_which_looking_was_given_up(*, backward: bool) -> None:
    """Few of the rows that were looked at, or none, may belong to it."""
    asked = PageRequest("at", count=3, cursor=CURSOR, backward=backward)
    scanned = rows(1, first=9)[0]
    rel = "previous" if backward else "next"
    for found in ([], rows(2)):
        page = asked.page(found, URL, scanned)
        assert len(page.rows) == len(found)
        onward = page_request(query_of(hrefs(page)[rel]), "at")
        assert (onward.cursor, onward.backward) == (Cursor(scanned["at"], "o-9"), backward)


def test_a_page_that_is_full_goes_on_behind_its_last_row() -> None:
    page = PageRequest("at", count=3).page(rows(4), URL, rows(1, first=9)[0])
    assert page_request(query_of(hrefs(page)["next"]), "at").cursor == Cursor(
        AT + timedelta(2), "o-2"
    )


def test_a_request_goes_on_behind_a_row_that_has_a_place() -> None:
    asked = PageRequest("at", count=3, parameters={"status": "Completed"})
    row = rows(1)[0]
    behind = asked.behind(row, 100)
    assert behind == PageRequest("at", False, 100, Cursor(AT, "o-0"), False, asked.parameters)
    assert asked.behind({**row, "at": "soon"}, 100) is None
