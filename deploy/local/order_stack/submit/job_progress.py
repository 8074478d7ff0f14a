"""Follows jobs until they have settled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from order_stack.submit.gateway_client import Answer, GatewayClient

POLL_PAUSE: Final = 0.25
UNSETTLED_ACTIONS: Final = frozenset({"pending", "fired"})


class ProgressListener(Protocol):
    """Is called for every answer and every look at a job, with how many there will be in all."""

    def answered(self, answer: Answer, total: int) -> None: ...

    def job_seen(self, job: dict[str, Any], total: int) -> None:
        """Called several times for a job, until it has settled."""


def stage(job: Mapping[str, Any], name: str) -> str | None:
    """Return how far a stage of a job is; None where the job doesn't say."""
    stages = job.get("stages") or {}
    found = stages.get(name)
    return None if found is None else str(found)


def settled(job: Mapping[str, Any]) -> bool:
    """Tell whether the job will not change soon by itself; one whose action is held won't."""
    if job["status"] == "Accepted":
        return False
    if stage(job, "storage") == "failed":
        return True
    return stage(job, "enrichment") != "pending" and stage(job, "action") not in UNSETTLED_ACTIONS


async def follow(
    client: GatewayClient,
    ids: Sequence[str],
    concurrency: int,
    seconds: float,
    listener: ProgressListener,
) -> tuple[tuple[dict[str, Any], ...], int]:
    """
    Poll every job until it has settled; give up after *seconds* in which none has.

    Return the jobs as last seen, and how many of them have not settled.
    """
    seen: dict[str, dict[str, Any]] = {}
    waiting = list(ids)
    deadline = time.monotonic() + seconds
    limit = asyncio.Semaphore(concurrency)

    async def has_settled(job_id: str) -> bool:
        async with limit:
            job = await client.job(job_id)
        if job is None:
            return False
        seen[job_id] = job
        listener.job_seen(job, len(ids))
        return settled(job)

    while waiting and time.monotonic() < deadline:
        ended = await asyncio.gather(*(has_settled(job_id) for job_id in waiting))
        if any(ended):
            deadline = time.monotonic() + seconds
        waiting = [it for it, end in zip(waiting, ended, strict=True) if not end]
        if waiting:
            await asyncio.sleep(POLL_PAUSE)
    return tuple(seen.values()), len(waiting)
