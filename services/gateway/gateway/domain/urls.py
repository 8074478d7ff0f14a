"""Absolute URLs, built from the configured base alone, never from the Host header. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from order_contracts.routes import INTEGRATION_LOG, JOB, JOBS, ORDER, ORDERS

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]*", re.ASCII)


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
        return self.public_url + ORDER.format(order_id=_quoted(order_id))

    def job(self, job_id: str) -> str:
        return self.public_url + JOB.format(job_id=_quoted(job_id))


def _quoted(text: str) -> str:
    """Return *text* as a part of a path; nearly all are ids, which need nothing for that."""
    return text if _PLAIN.fullmatch(text) else quote(text, safe="")
