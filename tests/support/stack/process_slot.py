"""
Runs a test's own processes instead of a service of a running stack, with the service's environment
and instance name. A killed one keeps its partitions until its session times out, as usual.

    with process_slot(stack, "order-writer") as slot:  # the service is killed
        slot.run("faults.planted.crash_at_step", "order_writer", "commitTransaction", str(marker))
        slot.wait_for_sigkill()
        slot.run("order_writer")                       # the service, as a child of the test
    ...                                                # the service is started again

For the steps at which a service can crash see tests/faults/planted/crash_at_step.py.
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
        """Run `python -m module args`; the previous process is stopped first."""
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
        """Wait until the process was ended by SIGKILL; fails if it ended otherwise."""
        assert self.process is not None
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still alive after {seconds} s\n{self.tail()}") from None
        assert status == -signal.SIGKILL, f"ended with {status}\n{self.tail()}"

    def wait_for_end(self, seconds: float = 90) -> None:
        """Wait until the process has ended by itself, in error."""
        assert self.process is not None
        assert self.process.wait(seconds) > 0, f"no error\n{self.tail()}"

    def stop(self, seconds: float = 30) -> None:
        """Stop the process by SIGTERM, so that it leaves its group; kill it after *seconds*."""
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
    """Kill *service* for the body; yield its slot, with *settings* changed."""
    environ = psutil.Process(stack.part(service)["pid"]).environ()
    stack.kill(service)
    log = stack.command.home / stack.name / "logs" / f"{service}.slot.log"
    slot = ProcessSlot(environ | {f"ORDERMILL_{name}": it for name, it in settings.items()}, log)
    try:
        yield slot
    finally:
        slot.stop()
        stack.start(service)
