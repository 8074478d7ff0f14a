"""Records as external publishers send them to Kafka, valid or not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid4

from support.builders.bodies import Json

COMMANDS_TOPIC: Final = "orders.commands"


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A publisher's record, valid or not."""

    key: str | bytes | None
    value: bytes | None
    headers: Mapping[str, str | bytes] | Sequence[tuple[str, str | bytes | None]]
    partition: int = -1  # -1: by the key

    @property
    def pairs(self) -> Sequence[tuple[str, str | bytes | None]]:
        if isinstance(self.headers, Mapping):
            return list(self.headers.items())
        return self.headers

    def with_headers(self, headers: Mapping[str, str | bytes]) -> RawRecord:
        """Return a copy with these headers set, in place of those of the same names."""
        return replace(self, headers=list((dict(self.pairs) | dict(headers)).items()))


def register_record(body: Json, job_id: str | None = None, **headers: str) -> RawRecord:
    """Return a valid RegisterOrder command."""
    ce = {
        "ce_specversion": "1.0",
        "ce_id": job_id or str(uuid4()),
        "ce_source": "/tests",
        "ce_type": "RegisterOrder.v1",
    }
    return RawRecord(body["orderId"], json.dumps(body).encode(), ce | headers)


def delete_record(order_id: str, job_id: str | None = None) -> RawRecord:
    ce = {"ce_id": job_id or str(uuid4()), "ce_source": "/tests", "ce_type": "DeleteOrder.v1"}
    return RawRecord(order_id, json.dumps({"orderId": order_id}).encode(), ce)
