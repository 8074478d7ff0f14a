"""A stack to measure: only the services that a stage needs run, and their processes are known."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psutil

from bench.cpu import CpuMeter
from bench.load.orders import RecordLoad
from bench.measurements import KAFKA, MONGOD, SERVICE
from support.history.quiescence import lagging_group
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until

SERVICES: Final = ("gateway", "order-writer", "enricher", "action-trigger")
START_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Environment:
    """The stack of a stage, whether peers are measured beside it, and the scale of all counts."""

    stack: RunningStack
    processes: Mapping[str, psutil.Process]
    """By name: the services, `broker` and `mongod`."""
    load: RecordLoad
    home: Path
    peers: bool
    scale: float

    def scaled(self, count: int) -> int:
        return max(10, int(count * self.scale))

    def meter(self, *services: psutil.Process) -> CpuMeter:
        """Return a meter of these processes, of the database and of the broker."""
        return CpuMeter(
            {
                SERVICE: services,
                MONGOD: [self.processes["mongod"]],
                KAFKA: [self.processes["broker"]],
            }
        )

    def stop_all_but(self, needed: Collection[str]) -> None:
        for name in SERVICES:
            if name not in needed and self.processes[name].is_running():
                self.processes[name].terminate()

    def restarted(self, service: str, **settings: str) -> Environment:
        """Start *service* anew with *settings* in its environment; return what runs then."""
        self.processes[service].terminate()
        self.processes[service].wait(START_SECONDS)
        self.stack.start(service, wait=True, **settings)
        return replace(self, processes=_processes(self.stack))

    def settle(self) -> None:
        """Wait until all that was published is handled."""
        until(lambda: not lagging_group(self.stack), seconds=START_SECONDS, of="all read")


@contextmanager
def environment(
    *, peers: bool, scale: float = 1.0, options: Sequence[str] = ()
) -> Iterator[Environment]:
    """Start a stack, with *options*, that knows the contacts, articles and stores of the orders."""
    with (
        tempfile.TemporaryDirectory(prefix="ordermill-bench-") as home,
        running_stack(Path(home), *options, seconds=START_SECONDS) as stack,
    ):
        load = RecordLoad(stack.kafka)
        started = Environment(stack, _processes(stack), load, Path(home), peers, scale)
        load.send_references()
        started.settle()
        yield started


def _processes(stack: RunningStack) -> dict[str, psutil.Process]:
    seen = stack.status()
    parts = (*seen["services"], *seen["parts"])
    return {it["name"]: psutil.Process(it["pid"]) for it in parts if it["pid"] is not None}
