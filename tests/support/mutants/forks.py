"""Work in forks of this process, which therefore may end it, hang or change what it imported."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

MEMORY: Final = 4 << 30  # bytes that a fork may take


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """What one fork does; *seconds* bound its processor time, and five times that its time."""

    work: Callable[[], T]
    seconds: int


@dataclass(frozen=True, slots=True)
class _Running:
    at: int
    process: ForkProcess
    until: float


def in_forks(jobs: Iterable[Job[T]], workers: int) -> Iterator[tuple[int, T | None]]:
    """
    Yield the number and the result of each job as it ends, *workers* at a time.

    The result is None where the fork died or took too long.
    """
    waiting, running = enumerate(jobs), dict[Connection, _Running]()
    while True:
        while len(running) < workers and (following := next(waiting, None)) is not None:
            at, job = following
            results, process = _started(job)
            running[results] = _Running(at, process, time.monotonic() + 5 * job.seconds)
        if not running:
            return
        nearest = min(it.until for it in running.values())
        wait(list(running), max(0.0, nearest - time.monotonic()))
        for results, fork in list(running.items()):
            if results.poll() or fork.until <= time.monotonic():
                del running[results]
                yield fork.at, _ended(fork.process, results)


def _started(job: Job[T]) -> tuple[Connection, ForkProcess]:
    context = get_context("fork")
    results, told = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(job, told))
    process.start()
    told.close()
    return results, process


def _child(job: Job[T], told: Connection) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (job.seconds, job.seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    told.send(job.work())
    told.close()
    os._exit(0)  # neither threads nor exit handlers keep it


def _ended(process: ForkProcess, results: Connection[Any, Any]) -> Any:
    """Return what the fork sent, None if nothing; end it, and what it started."""
    try:
        result = results.recv() if results.poll() else None
    except EOFError:
        result = None
    results.close()
    assert process.pid is not None
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()  # where it did not come as far as to lead a group
    process.join()
    return result
