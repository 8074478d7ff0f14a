"""Requests to one endpoint: bounded in number, limited in rate, behind a circuit breaker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from action_trigger import metrics
from action_trigger.adapters.http_sender import HttpSender, SendResult
from action_trigger.adapters.rate_limiter import RateLimiter
from action_trigger.domain.circuit_breaker import CLOSED, Circuit, OpenCircuit
from action_trigger.domain.retry_policy import NoResponse, Response, is_alive
from action_trigger.log_events import CIRCUIT_CLOSED, CIRCUIT_OPENED
from order_runtime.process.logs import log

MAX_IN_FLIGHT: Final = 32  # requests


class EndpointClient:
    """The only way to send to an endpoint; it outlives the senders that a new file brings."""

    def __init__(self, name: str, circuit_changed: Callable[[], None]) -> None:
        self._name = name
        self._circuit_changed = circuit_changed
        self._sender: HttpSender | None = None
        self._rate_limiter = RateLimiter(None)
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._in_flight = 0
        self._circuit = CLOSED
        self._open: OpenCircuit | None = None

    def replace_sender(self, sender: HttpSender | None) -> None:
        """Send with *sender* what is sent next; None where no action goes to this endpoint."""
        self._sender = sender
        self._rate_limiter = RateLimiter(sender.rate if sender else None)
        self._show_circuit()

    @property
    def timeout_seconds(self) -> float:
        """How long a request may take; raises LookupError where there is no sender."""
        return self._current_sender().timeout_seconds

    @property
    def is_idle(self) -> bool:
        return not self._in_flight

    @property
    def circuit_is_open(self) -> bool:
        return self._circuit.is_open

    @property
    def open_circuit(self) -> OpenCircuit | None:
        """The open circuit with the last answer; None while it is closed."""
        return self._open

    def circuit_blocks_until(self, now: datetime) -> datetime | None:
        """Return when the next probe may be sent; None if a request may be sent now."""
        return self._circuit.waits_until(now)

    def close_circuit(self) -> None:
        self._open = None
        self._replace_circuit(CLOSED)

    @asynccontextmanager
    async def slot(self, wanted: Callable[[], bool]) -> AsyncIterator[None]:
        """
        Hold one of MAX_IN_FLIGHT slots, from when the rate allows another request.

        A request that isn't *wanted* any more when its turn comes takes nothing from the rate.
        """
        async with self._slots:
            await self._rate_limiter.acquire(wanted)
            yield

    async def send(
        self,
        action_id: str,
        body: str,
        now: Callable[[], datetime],
        traceparent: str | None = None,
    ) -> SendResult:
        """Send once, inside a slot; the circuit takes note of the result."""
        self._in_flight += 1
        with metrics.IN_FLIGHT.track_inprogress():
            result = await self._current_sender().send(action_id, body, now(), traceparent)
        self._in_flight -= 1
        metrics.ATTEMPT_SECONDS.labels(self._name).observe(result.duration.total_seconds())
        at = now()
        circuit = self._circuit.after(success=is_alive(result.response), now=at)
        self._open = _opened(circuit, self._open, result.response, at)
        self._replace_circuit(circuit)
        return result

    def _current_sender(self) -> HttpSender:
        if self._sender is None:
            raise LookupError(f"no action goes to {self._name}")
        return self._sender

    def _replace_circuit(self, circuit: Circuit) -> None:
        was_open, self._circuit = self._circuit.is_open, circuit
        if circuit.is_open == was_open:
            return
        self._show_circuit()
        event = CIRCUIT_OPENED if circuit.is_open else CIRCUIT_CLOSED
        log().warning(event, endpoint=self._name)
        self._circuit_changed()

    def _show_circuit(self) -> None:
        """Show the circuit of an endpoint that the webhooks file names."""
        if self._sender is not None:
            metrics.CIRCUIT_OPEN.labels(self._name).set(self._circuit.is_open)


def _opened(
    circuit: Circuit, before: OpenCircuit | None, response: Response | NoResponse, now: datetime
) -> OpenCircuit | None:
    """Return what is told of *circuit* after an attempt that ended *now*."""
    if circuit.probe_at is None:
        return None
    return OpenCircuit(
        since=before.since if before else now,
        probe_at=circuit.probe_at,
        failures=circuit.failures,
        answered_at=now,
        status=response.status if isinstance(response, Response) else None,
        reason=response.reason if isinstance(response, NoResponse) else None,
    )
