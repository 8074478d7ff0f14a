"""From a request's body to the record that asks for it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from order_contracts.cloudevents import Envelope
from order_contracts.commands import Command, RegisterOrder, type_of
from order_contracts.decoding import parse, read
from order_contracts.topics import COMMANDS, GATEWAY
from order_runtime.records import Outgoing

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Submission:
    """A command that was found valid, under the job id it was given."""

    job_id: str
    command: Command
    at: datetime
    traceparent: str | None = None

    def record(self) -> Outgoing:
        """Return the command as it goes to Kafka: in its canonical spelling, keyed by orderId."""
        envelope = Envelope(
            id=self.job_id,
            source=f"/{GATEWAY}",
            type=type_of(type(self.command)),
            time=self.at,
            subject=self.command.order_id,
            traceparent=self.traceparent,
        )
        key = self.command.order_id.encode()
        return Outgoing(COMMANDS.name, key, self.command.to_json(), envelope.headers())


def registration(body: bytes, now: datetime) -> RegisterOrder:
    """Return the order to register; raises Invalid with every error of the body."""
    return read(RegisterOrder, parse(body), strict=True, now=now)


def traceparent(header: str | None) -> str | None:
    """Return a W3C trace context that is well formed, else None."""
    return header if header and _TRACEPARENT.fullmatch(header) else None
