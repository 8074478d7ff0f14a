"""The status of a response decides; what follows it is read within bounds, and decides nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_trigger.adapters.response_reader import (
    MAX_BODY,
    MAX_HEAD,
    MAX_INTERIM,
    MAX_LINE,
    BadStatusLine,
    ResponseReader,
)

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = b"Content-Length: 0\r\n\r\n"


def read(*parts: bytes) -> ResponseReader:
    reader = ResponseReader()
    for part in parts:
        reader.feed(part)
    return reader


@pytest.mark.parametrize(
    ("response", "body"),
    [
        (OK + EMPTY, b""),
        (OK + b"Content-Length: 2\r\n\r\nok", b"ok"),
        (OK + b"content-length:2\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n",
            b"ok!",
        ),
        (b"HTTP/1.1 204\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", b"ok"),
        (b"\r\n" + OK + EMPTY, b""),
        (b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 103\r\n\r\n" + OK + EMPTY, b""),
        (OK + b"A: " + b"x" * 100_000 + b"\r\n" + EMPTY, b""),
        (OK + b"A: b\r\n" * 1_000 + EMPTY, b""),
    ],
)
def test_a_whole_response_leaves_the_connection_for_the_next_request(
    response: bytes, body: bytes
) -> None:
    """However it is cut into pieces; one byte more, and nobody knows whose that is."""
    for step in (1, 2, 7, len(response)):
        reader = read(*(response[at : at + step] for at in range(0, len(response), step)))
        assert (reader.done, reader.reusable, bytes(reader.body)) == (True, True, body)
    assert read(response + b"x").reusable is False


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: -2\r\n\r\nok",
        b"Content-Length: two\r\n\r\nok",
        b"Content-Length: \xb2\r\n\r\nok",
        b"Transfer-Encoding: gzip\r\n\r\nok",
        b"Transfer-Encoding: chunked\r\n\r\nfive\r\nok",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n",
        b"no field\r\nContent-Length: 0\r\n\r\n",
        b"Content-Length: 2\r\n folded\r\n\r\nok",
        b"A\x00: b\r\nContent-Length: 0\r\n\r\n",
        b"Connection: Close\r\nContent-Length: 0\r\n\r\n",
        b"\r\nuntil the end",
    ],
)
def test_a_response_that_is_framed_badly_has_a_status_and_ends_its_connection(rest: bytes) -> None:
    reader = read(OK, rest)
    reader.end()
    assert (reader.status, reader.reusable) == (200, False)


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n", b"HTTP/2 200\r\n", b"HTTP/1.1 101 X\r\n"])
def test_another_version_or_protocol_ends_the_connection(head: bytes) -> None:
    reader = read(head, EMPTY)
    assert reader.status in {200, 101}
    assert (reader.done, reader.reusable) == (True, False)


@pytest.mark.parametrize("framing", [b"Content-Length: 2", b"Transfer-Encoding: chunked"])
def test_a_204_with_a_body_ends_its_connection(framing: bytes) -> None:
    reader = read(b"HTTP/1.1 204 No Content\r\n", framing, b"\r\n\r\n")
    assert (reader.status, reader.done, reader.reusable) == (204, True, False)


@pytest.mark.parametrize("cut", range(len(b"HTTP/1.1 200"), 40))
def test_the_status_is_known_from_its_line_on(cut: int) -> None:
    response = (OK + EMPTY + b" " * 40)[:cut]
    assert read(response).status == (200 if cut > len(b"HTTP/1.1 200") else None)


@pytest.mark.parametrize(
    "junk",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 OK\r\n",
        b"HTTP/1.1 20 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 099 OK\r\n",
        b"x" * 65,
        b"\r\n" * 40,
    ],
)
def test_what_is_no_response_has_no_status(junk: bytes) -> None:
    with pytest.raises(BadStatusLine):
        read(junk)


def test_interim_responses_end() -> None:
    with pytest.raises(BadStatusLine):
        read(b"HTTP/1.1 102 Processing\r\n\r\n" * (MAX_INTERIM + 1))
    assert read(b"HTTP/1.1 102 Processing\r\n\r\n" * MAX_INTERIM + OK).status == 200


def test_a_field_is_read_behind_one_that_is_too_long() -> None:
    long = b"Content-Security-Policy: " + b"x" * MAX_LINE + b"\r\n"
    reader = read(b"HTTP/1.1 503 \r\n", long, b"Retry-After: \t 120 \r\nretry-after: 7\r\n")
    assert reader.fields == {"retry-after": "120"}


@pytest.mark.parametrize("line", [b"A: " + b"x" * 1_000 + b"\n", b"x" * 10_000])
def test_header_lines_are_read_up_to_a_bound(line: bytes) -> None:
    """In little memory, whether they are lines or one that doesn't end."""
    reader = read(OK)
    fed = 0
    while not reader.done:
        reader.feed(line)
        fed += len(line)
    assert MAX_HEAD - MAX_LINE <= fed <= MAX_HEAD + 20_000
    assert (reader.status, reader.reusable) == (200, False)
    assert sum(map(len, reader.fields.values())) + len(reader._buffer) <= 20_000  # noqa: SLF001


@pytest.mark.parametrize("framing", [b"", b"Content-Length: 9999999\r\n"])
def test_a_body_is_read_up_to_a_bound(framing: bytes) -> None:
    reader = read(OK, framing, b"\r\n")
    for _ in range(MAX_BODY // 1024 + 1):
        assert not reader.done
        reader.feed(b"x" * 1024)
    assert (reader.done, reader.reusable, len(reader.body)) == (True, False, MAX_BODY + 1024)


def test_what_is_cut_off_is_done_and_not_used_again() -> None:
    reader = read(OK, b"Content-Length: 5\r\n\r\nok")
    assert not reader.done
    reader.end()
    assert (reader.done, reader.reusable, bytes(reader.body)) == (True, False, b"ok")


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_whatever_follows_a_status_leaves_it(parts: list[bytes]) -> None:
    reader = read(b"HTTP/1.1 200 OK\r\n", *parts)
    assert reader.status == 200
