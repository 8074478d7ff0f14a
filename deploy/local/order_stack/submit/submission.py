"""Registers a file of orders over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from order_stack.cluster.parts import Stack
from order_stack.problems import StackProblem
from order_stack.submit.gateway_client import Answer, GatewayClient, connected, parsed
from order_stack.submit.job_progress import ProgressListener, follow, stage


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """The answers in the order of the file, and the jobs as they were last seen."""

    answers: tuple[Answer, ...]
    jobs: tuple[dict[str, Any], ...]
    unsettled: int = 0

    @property
    def refused(self) -> tuple[Answer, ...]:
        return tuple(it for it in self.answers if not it.accepted)

    @property
    def failed(self) -> bool:
        """Whether orders got no answer, jobs did not settle, or every order was refused."""
        all_refused = bool(self.answers) and len(self.refused) == len(self.answers)
        return bool(self.unsettled) or all_refused or any(it.unsent for it in self.answers)

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


async def run(
    stack: Stack,
    orders: Sequence[str],
    concurrency: int,
    seconds: float,
    listener: ProgressListener,
    *,
    follow_jobs: bool,
) -> SubmitResult:
    """Register all, and follow their jobs if asked; give up after *seconds* without progress."""
    async with connected(stack.gateway, stack.apikey, concurrency, ca_file=stack.ca_file) as client:
        answers = await register_all(client, orders, concurrency, seconds, listener)
        if not follow_jobs:
            return SubmitResult(answers, jobs=())
        jobs, unsettled = await follow(client, job_ids(answers), concurrency, seconds, listener)
    return SubmitResult(answers, jobs, unsettled)


async def register_all(
    client: GatewayClient,
    orders: Sequence[str],
    concurrency: int,
    seconds: float,
    listener: ProgressListener,
) -> tuple[Answer, ...]:
    """
    Register every order, *concurrency* at a time; the answers come in the file's order.

    Give up after *seconds* without an answer that counts: what has none then counts as unsent.
    """
    todo = iter(enumerate(orders, start=1))
    answers: dict[int, Answer] = {}

    async def work(patience: asyncio.Timeout) -> None:
        for line, order in todo:
            answers[line] = await client.register(line, order)
            listener.answered(answers[line], len(orders))
            if not answers[line].unsent:
                patience.reschedule(asyncio.get_running_loop().time() + seconds)

    with suppress(TimeoutError):
        async with asyncio.timeout(seconds) as patience:
            await asyncio.gather(*(work(patience) for _ in range(concurrency)))
    given_up = f"given up after {seconds:.0f} s without an answer"
    return tuple(
        answers.get(line) or Answer(line, None, given_up, order)
        for line, order in enumerate(orders, start=1)
    )


def job_ids(answers: Sequence[Answer]) -> list[str]:
    return [str(it.body["jobId"]) for it in answers if it.accepted and isinstance(it.body, dict)]


def write_refused(result: SubmitResult, file: Path) -> Path | None:
    """Write each refused line with its answer; remove an earlier run's file where there is none."""
    if not result.refused:
        file.unlink(missing_ok=True)
        return None
    rows = (
        {"line": it.line, "status": it.status, "answer": it.body, "order": parsed(it.order)}
        for it in result.refused
    )
    try:
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    except OSError as error:
        raise StackProblem(f"{file} can't be written: {error.strerror}.") from error
    return file
