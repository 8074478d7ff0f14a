"""A whole response goes out in one write, any other as uvicorn sends it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.http.response_sender import CLOSE, ResponseSender

LENGTH = (b"content-length", b"4")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n"


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

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@pytest.fixture
def transport() -> Transport:
    return Transport()


def cycle_of(
    transport: Transport, *, method: str = "GET", keep_alive: bool = True
) -> RequestResponseCycle:
    return RequestResponseCycle(
        scope={"type": "http", "method": method},  # type: ignore[typeddict-item]
        transport=transport,
        flow=FlowControl(transport),
        logger=logging.getLogger(),
        access_logger=logging.getLogger(),
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )


def start(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": [LENGTH, *headers]}


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def test_a_whole_response_is_written_at_once(transport: Transport) -> None:
    cycle = cycle_of(transport)
    sender = ResponseSender(cycle)
    await sender.send(start((b"x-request-id", b"1")))
    assert transport.written == []
    await sender.send(part(b"body"))
    assert transport.written == [HEAD + b"x-request-id: 1\r\n\r\nbody"]
    assert cycle.response_complete
    assert cycle.message_event.is_set()
    assert not transport.closed


async def test_parts_are_written_as_they_come(transport: Transport) -> None:
    cycle = cycle_of(transport)
    sender = ResponseSender(cycle)
    await sender.send(start())
    await sender.send(part(b"bo", more=True))
    assert b"".join(transport.written) == HEAD + b"\r\nbo"
    assert not cycle.response_complete
    await sender.send(part(b"dy"))
    assert transport.written[-1] == b"dy"
    assert cycle.response_complete


async def test_a_head_has_no_body_behind_it(transport: Transport) -> None:
    cycle = cycle_of(transport, method="HEAD")
    sender = ResponseSender(cycle)
    await sender.send(start())
    await sender.send(part(b"body"))
    assert b"".join(transport.written) == HEAD + b"\r\n"
    assert cycle.response_complete


async def test_a_response_without_a_length_is_sent_in_chunks(transport: Transport) -> None:
    sender = ResponseSender(cycle_of(transport))
    await sender.send({**start(), "headers": []})
    await sender.send(part(b"body"))
    assert b"".join(transport.written).endswith(b"chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n")


@pytest.mark.parametrize("keep_alive", [True, False])
async def test_a_connection_that_ends_says_so_and_is_closed(
    transport: Transport, *, keep_alive: bool
) -> None:
    """Whether the client wants that, or the response does."""
    sender = ResponseSender(cycle_of(transport, keep_alive=keep_alive))
    await sender.send(start(*([CLOSE] if keep_alive else [])))
    await sender.send(part(b"body"))
    assert transport.written == [HEAD + b"connection: close\r\n\r\nbody"]
    assert transport.closed


async def test_nothing_is_sent_to_a_client_that_is_gone(transport: Transport) -> None:
    cycle = cycle_of(transport)
    cycle.disconnected = True
    sender = ResponseSender(cycle)
    await sender.send(start())
    await sender.send(part(b"body"))
    assert transport.written == []


async def test_a_slow_client_is_waited_for(transport: Transport) -> None:
    cycle = cycle_of(transport)
    cycle.flow.pause_writing()
    sender = ResponseSender(cycle)
    await sender.send(start())
    sending = asyncio.ensure_future(sender.send(part(b"body")))
    await asyncio.sleep(0)
    assert transport.written == []
    cycle.flow.resume_writing()
    await sending
    assert b"".join(transport.written) == HEAD + b"\r\nbody"


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb"])
async def test_a_header_can_end_no_line(transport: Transport, value: bytes) -> None:
    """Else whoever has a say in its value could write further headers."""
    cycle = cycle_of(transport)
    sender = ResponseSender(cycle)
    await sender.send(start((b"location", value)))
    with pytest.raises(ValueError, match="end of a line"):
        await sender.send(part(b"body"))
    assert transport.written == []
    assert not cycle.response_started
