"""The load of a benchmark: requests as they go over the wire, and orders that our API takes."""

from __future__ import annotations

import json

import pytest
import uvloop

from bench.load.http_connection import HttpConnection, request
from bench.load.http_load import send_all
from bench.load.orders import confirmed_orders, orders
from bench.load.webhook_sink import webhook_sink
from bench.peers.order_model import Order as PeersOrder
from order_contracts.commands import RegisterOrder
from order_contracts.decoding import parse, read


def test_a_request_has_its_length_and_its_headers() -> None:
    sent = request("POST", "http://127.0.0.1:80/orders", b"{}", apikey="k", if_match="*")

    head, _, body = sent.decode().partition("\r\n\r\n")
    assert head.splitlines()[0] == "POST /orders HTTP/1.1"
    assert {"content-length: 2", "apikey: k", "if-match: *"} <= set(head.splitlines())
    assert body == "{}"


def test_the_orders_are_valid_for_us_and_for_the_peers() -> None:
    for body in (*orders(2), *confirmed_orders(2)):
        text = json.dumps(body)
        read(RegisterOrder, parse(text.encode()), strict=True)
        PeersOrder.model_validate_json(text)


def test_all_requests_are_answered_and_timed() -> None:
    body = json.dumps({"data": {"order": {"orderId": "o-1"}}}).encode()
    with webhook_sink() as sink:
        load = send_all(sink.url, [request("POST", sink.url, body)] * 50, clients=4, status=204)

        sink.wait_for("o-1", 5)

    assert sink.received == 50
    assert len(load.latencies) == 50
    assert max(load.latencies) <= load.seconds


def test_another_status_fails_the_load() -> None:
    body = json.dumps({"data": {"order": {"orderId": "o-1"}}}).encode()
    with webhook_sink() as sink, pytest.RaisesGroup(AssertionError):
        send_all(sink.url, [request("POST", sink.url, body)], clients=1, status=202)


def test_a_webhook_that_does_not_come_fails() -> None:
    with webhook_sink() as sink, pytest.raises(AssertionError, match="no webhook of o-1"):
        sink.wait_for("o-1", 0.01)


def test_a_connection_is_used_again() -> None:
    body = json.dumps({"data": {"order": {"orderId": "o-1"}}}).encode()

    async def statuses(url: str) -> list[int]:
        connection = await HttpConnection.to(url)
        sent = request("POST", url, body)
        found = [(await connection.send(sent)).status for _ in range(3)]
        connection.close()
        return found

    with webhook_sink() as sink:
        assert uvloop.run(statuses(sink.url)) == [204, 204, 204]
