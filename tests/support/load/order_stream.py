"""A steady stream of orders to all gateways, with retries during faults."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import uuid4

import httpx

from support.builders.bodies import order_body
from support.stack.running_stack import RunningStack

PAUSE = 0.1  # seconds before a retry, after no response or 503


@dataclass(frozen=True, slots=True)
class AcceptedOrder:
    job_id: str
    order_id: str
    at: float  # monotonic time of the 202
    seconds: float  # since the first attempt
    tries: int


class OrderStream:
    """Posts one order after the other to each gateway, and retries each until it is accepted."""

    def __init__(self, stack: RunningStack) -> None:
        self.accepted: list[AcceptedOrder] = []
        self.failure: BaseException | None = None
        self._enough = threading.Event()
        self._threads = [
            threading.Thread(target=self._go_on, args=(stack, gateway))
            for gateway in stack.gateways
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()
        if error is None and self.failure is not None:
            raise self.failure

    def since(self, moment: float) -> list[AcceptedOrder]:
        return [it for it in tuple(self.accepted) if it.at > moment]

    def _go_on(self, stack: RunningStack, gateway: str) -> None:
        try:
            with httpx.Client(
                headers={"apikey": stack.apikey}, timeout=30, verify=stack.tls
            ) as client:
                while not self._enough.is_set():
                    self.accepted.append(_post(client, f"{gateway}/api/v3/orders"))
        except BaseException as error:  # noqa: BLE001  raised in __exit__
            self.failure = error


def _post(client: httpx.Client, url: str) -> AcceptedOrder:
    body, began, tries = order_body(), time.monotonic(), 0
    key = {"idempotency-key": str(uuid4())}
    while True:
        tries += 1
        try:
            answer = client.post(url, json=body, headers=key)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code != 503:
            break
        time.sleep(PAUSE)
    assert answer.status_code == 202, answer.text
    now = time.monotonic()
    return AcceptedOrder(answer.json()["jobId"], body["orderId"], now, now - began, tries)
