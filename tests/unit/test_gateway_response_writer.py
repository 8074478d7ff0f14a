"""The head of a response goes out with what follows it, and is never kept back."""

from __future__ import annotations

import asyncio

import pytest

from gateway.http.response_writer import CONTINUE, ResponseWriter

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def writer(transport: Transport) -> ResponseWriter:
    return ResponseWriter(transport)


@pytest.mark.parametrize("body", [b"body", b""])
def test_the_head_is_written_with_the_body(
    transport: Transport, writer: ResponseWriter, body: bytes
) -> None:
    writer.write(HEAD)
    assert transport.written == []
    writer.write(body)
    assert transport.written == [HEAD + body]


def test_further_parts_of_the_body_are_written_as_they_come(
    transport: Transport, writer: ResponseWriter
) -> None:
    writer.write(HEAD)
    for part in (b"a", b"b", b"", b"c"):
        writer.write(part)
    assert transport.written == [HEAD + b"a", b"b", b"", b"c"]


def test_what_comes_before_the_response_is_written_at_once(
    transport: Transport, writer: ResponseWriter
) -> None:
    """A client that expects 100 Continue sends no body without it."""
    writer.write(CONTINUE)
    writer.write(HEAD)
    assert transport.written == [CONTINUE]


def test_a_head_without_a_body_is_written_before_the_end(
    transport: Transport, writer: ResponseWriter
) -> None:
    writer.write(HEAD)
    writer.close()
    assert transport.written == [HEAD]
    assert writer.is_closing()


def test_a_request_without_a_response_is_closed_without_one(
    transport: Transport, writer: ResponseWriter
) -> None:
    writer.close()
    assert transport.written == []
    assert transport.closed
