"""The head of a response goes out with what follows it, and is never kept back."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.http.response_writer import ResponseWriter

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
def cycle() -> Any:
    return SimpleNamespace(transport=Transport(), response_started=False)


@pytest.fixture
def writer(cycle: Any) -> ResponseWriter:
    return ResponseWriter(cycle)


def begin(cycle: Any, writer: ResponseWriter) -> None:
    cycle.response_started = True
    writer.write(HEAD)


@pytest.mark.parametrize("body", [b"body", b""])
def test_the_head_is_written_with_the_body(cycle: Any, writer: ResponseWriter, body: bytes) -> None:
    begin(cycle, writer)
    assert cycle.transport.written == []
    writer.write(body)
    assert cycle.transport.written == [HEAD + body]


def test_further_parts_of_the_body_are_written_as_they_come(
    cycle: Any, writer: ResponseWriter
) -> None:
    begin(cycle, writer)
    for part in (b"a", b"b", b"", b"c"):
        writer.write(part)
    assert cycle.transport.written == [HEAD + b"a", b"b", b"", b"c"]


def test_what_comes_before_the_response_is_written_at_once(
    cycle: Any, writer: ResponseWriter
) -> None:
    """A client that expects 100 Continue sends no body without it."""
    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert cycle.transport.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_a_head_without_a_body_is_written_before_the_end(
    cycle: Any, writer: ResponseWriter
) -> None:
    begin(cycle, writer)
    writer.close()
    assert cycle.transport.written == [HEAD]
    assert writer.is_closing()
