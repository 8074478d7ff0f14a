"""Starts, finds, signals and stops the processes of a stack, and no other process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from order_operations.connections.profile import profile_variables
from order_stack.cluster.parts import Part
from order_stack.problems import StackProblem
from order_stack.supervision import process_records
from order_stack.supervision.process_records import ProcessExit, ProcessStart
from order_stack.supervision.signals import Signal

TICK = 0.05  # seconds between two looks at a process
GRACE = 20.0  # seconds a process has to stop by itself
SAME_START = 0.5  # seconds by which the system's clock may blur a process's start


def inherited(environ: Mapping[str, str], ours: Collection[str] = ()) -> dict[str, str]:
    """Return the caller's environment without settings for other processes than one of *ours*."""
    return {
        name: value
        for name, value in environ.items()
        if name in ours or not name.startswith(("ORDERMILL_", "ORDERS_"))
    }


def find(part: Part, folder: Path) -> psutil.Process | None:
    """Return the part's process if it lives, also while it is stopped by a signal."""
    started = process_records.start_of(part, folder)
    if started is None:
        return None
    _reap(part, folder, started)
    try:
        process = psutil.Process(started.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process if abs(process.create_time() - started.at) < SAME_START else None
    except psutil.NoSuchProcess:
        return None


def _reap(part: Part, folder: Path, started: ProcessStart) -> None:
    """Reap a dead child and remember how it ended; does nothing where it isn't our child."""
    try:
        pid, status = os.waitpid(started.pid, os.WNOHANG)
    except ChildProcessError:
        return
    if pid:
        ended = ProcessExit(started, os.waitstatus_to_exitcode(status), time.time())
        process_records.save_exit(part, folder, ended)


def unreaped_exit_code(started: ProcessStart) -> int | None:
    """Return how a process ended whose parent hasn't read it yet; None where that isn't known."""
    try:
        fields = Path(f"/proc/{started.pid}/stat").read_text().rpartition(")")[2].split()
        same = abs(psutil.Process(started.pid).create_time() - started.at) < SAME_START
    except (OSError, psutil.NoSuchProcess):
        return None
    if not same or fields[0] != "Z":
        return None
    return os.waitstatus_to_exitcode(int(fields[49]))  # proc(5): the 52nd field of all


def start(part: Part, folder: Path) -> None:
    """Start the part in a session of its own, so that it outlives the terminal."""
    Path(part.log).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with Path(part.log).open("ab") as log:
            child = subprocess.Popen(
                part.argv,
                env={**inherited(os.environ, part.inherits), **_login(part), **part.env},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise StackProblem(
            f"{part.name} can't be started: {part.argv[0]}: {error.strerror}."
        ) from error
    started = ProcessStart(child.pid, psutil.Process(child.pid).create_time())
    process_records.save_start(part, folder, started)


def _login(part: Part) -> Mapping[str, str]:
    return {} if part.login is None else profile_variables(Path(part.login))


def send(process: psutil.Process, name: Signal) -> None:
    """Send a signal; one that is to end a stopped process wakes it first, so that it can."""
    try:
        process.send_signal(signal.Signals[f"SIG{name}"])
        if name == "TERM":
            process.send_signal(signal.SIGCONT)
    except psutil.NoSuchProcess:
        return


def gone(part: Part, folder: Path, seconds: float) -> bool:
    """Wait until the part has no process any more."""
    deadline = time.monotonic() + seconds
    while find(part, folder) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(TICK)
    return True


def stop(parts: Iterable[Part], folder: Path, how: Signal = "TERM") -> None:
    """Stop all of them at once; what hasn't gone in time is killed with its children."""
    running = [(part, process) for part in parts if (process := find(part, folder))]
    for _, process in running:
        send(process, how)
    deadline = time.monotonic() + GRACE
    for part, process in running:
        if not gone(part, folder, max(0.0, deadline - time.monotonic())):
            _kill_session(process)
            gone(part, folder, GRACE)


def _kill_session(process: psutil.Process) -> None:
    if not process.is_running():
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def alive(parts: Sequence[Part], folder: Path) -> bool:
    return any(find(part, folder) for part in parts)
