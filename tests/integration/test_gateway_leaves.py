"""A gateway that is told to stop: no longer ready, everybody answered, then gone with status 0."""

from __future__ import annotations

import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from support.builders.bodies import order_body
from support.stack.extra_gateway import ExtraGateway, extra_gateway
from support.stack.running_stack import RunningStack
from support.stack.wait import until

ACCEPTED = "ordermill_gateway_accepted_total"
SECONDS = 15


def test_requests_in_flight_are_answered_before_the_gateway_leaves(stack: RunningStack) -> None:
    """
    Their bodies are still on the way when SIGTERM comes.
    """
    with extra_gateway(stack) as gateway:
        callers = [begun(gateway, stack.apikey) for _ in range(5)]

        gateway.process.send_signal(signal.SIGTERM)
        until(lambda: gateway.probe("/readyz") == 503, seconds=SECONDS, of="not ready")
        answers = [finished(caller, body) for caller, body in callers]

        assert gateway.process.wait(SECONDS) == 0
    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 202"] * 5


def test_who_waits_for_a_job_is_let_go_with_202(stack: RunningStack) -> None:
    """
    Nobody stores the order meanwhile; the wait of 30 s would outlast the stop.
    """
    stack.kill("order-writer")
    try:
        with extra_gateway(stack) as gateway, ThreadPoolExecutor() as pool:
            answer = pool.submit(waited, gateway, stack.apikey)
            until(lambda: gateway.metric(ACCEPTED) == 1, seconds=SECONDS, of="accepted")

            began = time.monotonic()
            gateway.process.send_signal(signal.SIGTERM)

            assert answer.result(SECONDS).status_code == 202
            assert gateway.process.wait(SECONDS) == 0
            assert time.monotonic() - began < 10
    finally:
        stack.start("order-writer")


def test_the_access_log_tells_of_the_last_request_too(stack: RunningStack, tmp_path: Path) -> None:
    """
    Its lines wait for each other; those that wait at SIGTERM are written before the end.
    """
    log, count = tmp_path / "gateway.log", 20
    with extra_gateway(stack, log) as gateway:
        for _ in range(count):
            httpx.get(f"http://127.0.0.1:{gateway.port}/api/v3/orders")
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(SECONDS) == 0
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events.count("request") == count
    assert events[-1] == "stopped"


def waited(gateway: ExtraGateway, apikey: str) -> httpx.Response:
    url = f"http://127.0.0.1:{gateway.port}/api/v3/orders"
    headers = {"apikey": apikey, "prefer": "wait=30"}
    return httpx.post(url, json=order_body(), headers=headers, timeout=60)


def begun(gateway: ExtraGateway, apikey: str) -> tuple[socket.socket, bytes]:
    """Send a request up to its body; the gateway says that it waits for that."""
    body = json.dumps(order_body()).encode()
    caller = socket.create_connection(("127.0.0.1", gateway.port), timeout=SECONDS)
    head = (
        "POST /api/v3/orders HTTP/1.1",
        "host: localhost",
        f"apikey: {apikey}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "expect: 100-continue",
    )
    caller.sendall("\r\n".join((*head, "", "")).encode())
    assert caller.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    return caller, body


def finished(caller: socket.socket, body: bytes) -> bytes:
    """Send the body; return the answer, after which the gateway closes the connection."""
    with caller:
        caller.sendall(body)
        return b"".join(iter(lambda: caller.recv(4096), b""))
