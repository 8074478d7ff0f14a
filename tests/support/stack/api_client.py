"""A client of the Orders API."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx

from support.builders.bodies import Json
from support.stack.running_stack import RunningStack
from support.stack.wait import until

SETTLED_ACTIONS = {"none", "held", "delivered", "failed", "dropped"}


class ApiClient:
    """A blocking client with an API key; bodies are sent unchanged."""

    def __init__(self, stack: RunningStack) -> None:
        self.base = f"{stack.gateway}/api/v3"
        self.client = httpx.Client(headers={"apikey": stack.apikey}, timeout=30, verify=stack.tls)

    def post(self, body: Json | bytes, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        typed = {"content-type": "application/json"} | headers
        return self.client.post(f"{self.base}/orders", content=content, headers=typed)

    def order(self, order_id: str, **query: str) -> httpx.Response:
        path = f"{self.base}/orders/{quote(order_id, safe='')}"
        return self.client.get(path, params=query)

    def job(self, job_id: str, **query: str) -> httpx.Response:
        return self.client.get(f"{self.base}/orders/jobs/{job_id}", params=query)

    def registered(self, body: Json) -> str:
        """Register a valid order; return its job id."""
        answer = self.post(body)
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["jobId"]
        return job_id

    def stored(self, job_id: str, *, seconds: float = 30) -> Json:
        """Wait until the job is stored; return it."""
        return until(lambda: self._job_if(job_id, is_stored), seconds=seconds, of=job_id)

    def settled(self, job_id: str, *, seconds: float = 60) -> Json:
        """Wait until the job is settled; return it."""
        return until(lambda: self._job_if(job_id, is_settled), seconds=seconds, of=job_id)

    def _job_if(self, job_id: str, condition: Any) -> Json | None:
        job = job_of_response(self.job(job_id))
        return job if job is not None and condition(job) else None


def job_of_response(answer: httpx.Response) -> Json | None:
    """Return the job of a response: a failed one is in the problem's `job`."""
    body: Json = answer.json()
    if answer.status_code == 200:
        return body
    job: Json | None = body.get("job")
    return job


def is_stored(job: Json) -> bool:
    return bool(job["status"] != "Accepted")


def is_settled(job: Json) -> bool:
    stages = job.get("stages")
    if not stages or not is_stored(job):
        return False
    return stages["enrichment"] != "pending" and stages["action"] in SETTLED_ACTIONS
