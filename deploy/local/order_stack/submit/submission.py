"""Registers a file of orders over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
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
    follow_for: float | None,
    listener: ProgressListener,
) -> SubmitResult:
    """Register all, and with *follow_for* (seconds without progress) follow their jobs."""
    async with connected(stack.gateway, stack.apikey, concurrency, ca_file=stack.ca_file) as client:
        answers = await register_all(client, orders, concurrency, listener)
        if follow_for is None:
            return SubmitResult(answers, jobs=())
        jobs, unsettled = await follow(client, job_ids(answers), concurrency, follow_for, listener)
    return SubmitResult(answers, jobs, unsettled)


async def register_all(
    client: GatewayClient, orders: Sequence[str], concurrency: int, listener: ProgressListener
) -> tuple[Answer, ...]:
    """Register every order, *concurrency* at a time; the answers come in the file's order."""
    todo = iter(enumerate(orders, start=1))
    answers: list[Answer] = []

    async def work() -> None:
        for line, order in todo:
            answers.append(await client.register(line, order))
            listener.answered(answers[-1], len(orders))

    await asyncio.gather(*(work() for _ in range(concurrency)))
    return tuple(sorted(answers, key=lambda answer: answer.line))


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
