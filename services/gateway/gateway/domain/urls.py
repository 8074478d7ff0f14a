"""Absolute links, built from the configured base alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

BASE_PATH: Final = "/api/v3"


@dataclass(frozen=True, slots=True)
class Urls:
    public_url: str

    def job(self, job_id: str) -> str:
        return f"{self.public_url}{BASE_PATH}/orders/jobs/{quote(job_id, safe='')}"

    def order(self, order_id: str) -> str:
        return f"{self.public_url}{BASE_PATH}/orders/{quote(order_id, safe='')}"
