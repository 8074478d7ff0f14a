"""The rows of a bulk: counted before they are parsed, and those that a parser would find."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from gateway.domain.json_items import MAX_DEPTH, array_items
from gateway.http.bulk_body import MAX_BULK, BulkInput, NotJson, lines, read_rows
from gateway.http.memory_budget import Memory
from gateway.http.request_body import MAX_BODY
from order_contracts.decoding import Invalid, parse

JSON = "application/json"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def request(body: bytes, kind: str) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    state = {"client": "shop", "reservations": [], "memory": Memory()}
    scope = {"type": "http", "headers": [(b"content-type", kind.encode())], "state": state}
    return Request(scope, receive)


def items(content: bytes) -> list[bytes]:
    return [item for item in array_items(content) if item is not None]


def array(content: bytes) -> list[object]:
    value = parse(content)
    if not isinstance(value, list):
        raise Invalid(())
    return value


@given(st.lists(VALUES), st.sampled_from([None, 1]), st.booleans())
def test_the_items_of_an_array_are_those_that_a_parser_finds(
    values: list[object], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    content = f" \n{text}\r\n\t".encode("utf-8", "surrogatepass")
    assert [json.loads(item) for item in items(content)] == values


@given(st.text(alphabet='[]{},:"\\ a1\n', max_size=30))
def test_what_is_no_array_for_a_parser_is_none_here(text: str) -> None:
    """Either there is no array of items, or one of them is no JSON."""
    content = text.encode()
    try:
        found = [parse(item) for item in items(content)]
    except Invalid:
        with pytest.raises(Invalid):
            array(content)
    else:
        assert found == parse(content)


@pytest.mark.parametrize(
    "content",
    [b"", b" ", b"{}", b"1", b'"["', b"\xef\xbb\xbf[]", b"x"],
)
def test_what_does_not_begin_as_an_array_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match="Must be an array"):
        items(content)


@pytest.mark.parametrize(
    "content", [b"[", b"[1", b"[1,]", b"[,1]", b"[1 2]", b"[] []", b"[{]", b'["a]', b"[[}", b"[1]]"]
)
def test_what_does_not_end_as_an_array_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        [parse(item) for item in items(content)]


def test_an_item_is_as_deep_as_one_may_be() -> None:
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert items(b"[" + deepest + b"]") == [deepest]
    with pytest.raises(Invalid, match="deeper"):
        items(b"[[" + deepest + b"]]")


def test_lines_are_those_that_are_not_blank() -> None:
    content = b"\n a\r\n \t\r\n\nb \nc"
    assert list(lines(content)) == [b"a\r", b"b ", b"c"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, b"[" + b"1," * (MAX_BULK // 2 - 2) + b"1]"),
        (JSON, b"[" + b"[]," * (MAX_BULK // 3 - 1) + b"1]"),
        ("application/x-ndjson", b"ab\n" * (MAX_BULK // 3)),
        ("application/x-ndjson", b"\n" * MAX_BULK),
    ],
)
async def test_too_many_rows_cost_nothing(kind: str, body: bytes) -> None:
    """Beside the body itself, which the request brings."""
    sent = request(body, kind)
    tracemalloc.start()
    with pytest.raises(Invalid, match="Must have 1 to 1000 orders"):
        await read_rows(sent)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.1 * MAX_BULK


@pytest.mark.parametrize("body", [b"[" * MAX_BULK, b"[" + b"[]" * (MAX_BULK // 2 - 2) + b"]"])
async def test_a_body_of_brackets_is_refused_soon(body: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(Invalid):
        await read_rows(request(body, JSON))
    assert time.monotonic() - started < 5


def test_a_row_is_parsed_when_it_is_read() -> None:
    assert BulkInput(0, b'{"a": 1}', of_array=True).value() == {"a": 1}
    with pytest.raises(NotJson):
        BulkInput(0, b"{", of_array=True).value()
    with pytest.raises(Invalid) as refused:
        BulkInput(0, b"{", of_array=False).value()
    assert not isinstance(refused.value, NotJson)


async def test_rows_keep_their_order() -> None:
    found = await read_rows(request(b'[{"a":1}, 2 ,[3]]', JSON))
    assert [(row.index, row.value()) for row in found] == [(0, {"a": 1}), (1, 2), (2, [3])]


def test_the_largest_row_is_read() -> None:
    largest = b'"' + b"a" * (MAX_BODY - 2) + b'"'
    assert BulkInput(0, largest, of_array=True).value() == "a" * (MAX_BODY - 2)
