"""Register a file of orders over HTTP, and follow their jobs until they have settled."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from order_stack.cluster.parts import Stack
from order_stack.demo.gateway_client import Answer, Client, connected, parsed
from order_stack.problems import StackProblem

POLL_PAUSE = 0.25
STILL_MOVING = frozenset({"pending", "fired"})


class Watch(Protocol):
    """Who looks on; both are told how many there will be."""

    def answered(self, answer: Answer, total: int) -> None: ...

    def saw(self, job: dict[str, Any], total: int) -> None:
        """A job was asked for; it is seen several times until it has settled."""


@dataclass(frozen=True, slots=True)
class Outcome:
    answers: tuple[Answer, ...]
    jobs: tuple[dict[str, Any], ...]
    unsettled: int = 0

    @property
    def refused(self) -> tuple[Answer, ...]:
        return tuple(it for it in self.answers if not it.accepted)

    def summary(self, refused_file: Path | None) -> dict[str, Any]:
        return {
            "submitted": len(self.answers),
            "accepted": len(self.answers) - len(self.refused),
            "refused": len(self.refused),
            "refusedBy": dict(Counter(str(it.status or "noAnswer") for it in self.refused)),
            "jobs": dict(Counter(str(job["status"]) for job in self.jobs)),
            "actions": dict(Counter(stage(job, "action") or "unknown" for job in self.jobs)),
            "unsettled": self.unsettled,
            "refusedFile": str(refused_file) if refused_file else None,
        }


def stage(job: Mapping[str, Any], name: str) -> str | None:
    stages = job.get("stages") or {}
    found = stages.get(name)
    return None if found is None else str(found)


def settled(job: Mapping[str, Any]) -> bool:
    """Tell whether nothing about the job will change by itself soon; a held action may wait."""
    if job["status"] == "Accepted":
        return False
    if stage(job, "storage") == "failed":
        return True
    return stage(job, "enrichment") != "pending" and stage(job, "action") not in STILL_MOVING


async def run(
    stack: Stack, orders: Sequence[str], concurrency: int, follow_for: float | None, watch: Watch
) -> Outcome:
    """Register all, and with *follow_for* (seconds without progress) follow their jobs."""
    async with connected(stack.gateway, stack.apikey, concurrency) as client:
        answers = await register_all(client, orders, concurrency, watch)
        if follow_for is None:
            return Outcome(answers, jobs=())
        jobs, unsettled = await follow(client, job_ids(answers), concurrency, follow_for, watch)
    return Outcome(answers, jobs, unsettled)


async def register_all(
    client: Client, orders: Sequence[str], concurrency: int, watch: Watch
) -> tuple[Answer, ...]:
    """Register every order, *concurrency* at a time; the answers come in the file's order."""
    todo = iter(enumerate(orders, start=1))
    answers: list[Answer] = []

    async def work() -> None:
        for line, order in todo:
            answers.append(await client.register(line, order))
            watch.answered(answers[-1], len(orders))

    await asyncio.gather(*(work() for _ in range(concurrency)))
    return tuple(sorted(answers, key=lambda answer: answer.line))


async def follow(
    client: Client, ids: Sequence[str], concurrency: int, seconds: float, watch: Watch
) -> tuple[tuple[dict[str, Any], ...], int]:
    """
    Ask for every job until it has settled, or for *seconds* in which none did.

    Returns the jobs as last seen, and how many of them have not settled.
    """
    seen: dict[str, dict[str, Any]] = {}
    waiting = list(ids)
    deadline = time.monotonic() + seconds
    limit = asyncio.Semaphore(concurrency)

    async def over(job_id: str) -> bool:
        async with limit:
            job = await client.job(job_id)
        if job is None:
            return False
        seen[job_id] = job
        watch.saw(job, len(ids))
        return settled(job)

    while waiting and time.monotonic() < deadline:
        ended = await asyncio.gather(*(over(job_id) for job_id in waiting))
        if any(ended):
            deadline = time.monotonic() + seconds
        waiting = [it for it, end in zip(waiting, ended, strict=True) if not end]
        if waiting:
            await asyncio.sleep(POLL_PAUSE)
    return tuple(seen.values()), len(waiting)


def job_ids(answers: Sequence[Answer]) -> list[str]:
    return [str(it.body["jobId"]) for it in answers if it.accepted and isinstance(it.body, dict)]


def write_refused(outcome: Outcome, file: Path) -> Path | None:
    """Write each refused line with its answer; without any, a file of an earlier run goes."""
    if not outcome.refused:
        file.unlink(missing_ok=True)
        return None
    rows = (
        {"line": it.line, "status": it.status, "answer": it.body, "order": parsed(it.order)}
        for it in outcome.refused
    )
    try:
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    except OSError as error:
        raise StackProblem(f"{file} can't be written: {error.strerror}.") from error
    return file
