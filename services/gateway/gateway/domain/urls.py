"""Absolute URLs, built from the configured base alone, never from the Host header. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from order_contracts.routes import INTEGRATION_LOG, JOB, JOBS, ORDER, ORDERS


@dataclass(frozen=True, slots=True)
class Urls:
    public_url: str

    @property
    def orders(self) -> str:
        return self.public_url + ORDERS

    @property
    def jobs(self) -> str:
        return self.public_url + JOBS

    @property
    def integration_log(self) -> str:
        return self.public_url + INTEGRATION_LOG

    def order(self, order_id: str) -> str:
        return self.public_url + ORDER.format(order_id=quote(order_id, safe=""))

    def job(self, job_id: str) -> str:
        return self.public_url + JOB.format(job_id=quote(job_id, safe=""))
