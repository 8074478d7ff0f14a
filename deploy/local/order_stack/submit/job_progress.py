"""Follows jobs until they have settled."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
    waiting = dict.fromkeys(ids)
    limit = asyncio.Semaphore(concurrency)

    async def look(job_id: str, patience: asyncio.Timeout) -> None:
        async with limit:
            job = await client.job(job_id)
        if job is None:
            return
        seen[job_id] = job
        listener.job_seen(job, len(ids))
        if settled(job):
            del waiting[job_id]
            patience.reschedule(asyncio.get_running_loop().time() + seconds)

    with suppress(TimeoutError):
        async with asyncio.timeout(seconds) as patience:
            while waiting:
                await asyncio.gather(*(look(job_id, patience) for job_id in tuple(waiting)))
                await asyncio.sleep(POLL_PAUSE if waiting else 0)
    return tuple(seen.values()), len(waiting)
