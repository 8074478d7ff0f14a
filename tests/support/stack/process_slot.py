"""
The seat of a service on a running stack, for processes of a test's own: with its environment and
its name. One that dies keeps its partitions until its session ends, as any service does.

    with seat_of(stack, "order-writer") as seat:      # the service is killed
        seat.take("faults.planted.crash_at_step", "order_writer", "commitTransaction", str(marker))
        seat.await_death()
        seat.take("order_writer")                     # the service itself, as a child of the test
    ...                                               # and started again by `orders start`

`dying` kills itself at one step of any service, once; see tests/faults/planted/dying.py.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from support.stack.running_stack import RunningStack

TESTS = Path(__file__).parents[2]


@dataclass
class ProcessSlot:
    environ: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def run(self, module: str, *args: str) -> None:
        """Run `python -m module args` in the seat; whoever sat there leaves first."""
        self.stop()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *args],
                env={**self.environ, "PYTHONPATH": str(TESTS)},
                cwd=self.log.parent,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_for_sigkill(self, seconds: float = 90) -> None:
        """Wait until it has killed itself; any other end is a fault of the test."""
        assert self.process is not None
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still alive after {seconds} s\n{self.tail()}") from None
        assert status == -signal.SIGKILL, f"ended with {status}\n{self.tail()}"

    def stop(self, seconds: float = 30) -> None:
        """Leave the seat empty; who is asked to leave gives its partitions back at once."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


@contextmanager
def process_slot(stack: RunningStack, service: str, **settings: str) -> Iterator[ProcessSlot]:
    """Kill *service* for the body; who sits there has its settings, but for these."""
    environ = psutil.Process(stack.part(service)["pid"]).environ()
    stack.kill(service)
    log = stack.command.home / stack.name / "logs" / f"{service}.slot.log"
    slot = ProcessSlot(environ | {f"ORDERMILL_{name}": it for name, it in settings.items()}, log)
    try:
        yield slot
    finally:
        slot.stop()
        stack.start(service)
