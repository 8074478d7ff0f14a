"""The state of a part's process, as far as its records, the system and its log tell."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psutil

from order_stack.cluster.parts import Part
from order_stack.supervision import process_records
from order_stack.supervision.process_records import ProcessStart
from order_stack.supervision.processes import find, unreaped_exit_code

State = Literal["running", "frozen", "dead"]


@dataclass(frozen=True, slots=True)
class PartState:
    """
    Running, frozen (stopped by SIGSTOP) or dead, with what else is known.

    Nobody watches the processes, so that the time and the cause of a death are known only where
    `orders kill` sent the signal, or the command that started the process saw it end.
    """

    state: State
    pid: int | None = None
    since: datetime | None = None
    signal: str | None = None
    exit_code: int | None = None
    last_log_at: datetime | None = None


def part_state(part: Part, folder: Path) -> PartState:
    process = find(part, folder)
    started = process_records.start_of(part, folder)
    if process is None or started is None:
        return _dead(part, folder, started)
    try:
        frozen = process.status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return _dead(part, folder, started)
    return _frozen(part, folder, started) if frozen else _running(started)


def _running(started: ProcessStart) -> PartState:
    return PartState("running", started.pid, _time(started.at))


def _frozen(part: Part, folder: Path, started: ProcessStart) -> PartState:
    sent = process_records.signal_to(part, folder, started)
    since = _time(sent.at) if sent and sent.signal == "STOP" else None
    return PartState("frozen", started.pid, since, "SIGSTOP")


def _dead(part: Part, folder: Path, started: ProcessStart | None) -> PartState:
    if started is None:
        return PartState("dead")
    sent = process_records.signal_to(part, folder, started)
    by = sent if sent and sent.signal in {"KILL", "TERM"} else None
    ended = process_records.exit_of(part, folder, started)
    code = ended.code if ended else unreaped_exit_code(started)
    at = (ended and ended.at) or (by and by.at)
    return PartState(
        "dead",
        since=_time(at) if at else None,
        signal=_signal(code, f"SIG{by.signal}" if by else None),
        exit_code=code if code is not None and code >= 0 else None,
        last_log_at=_last_written(Path(part.log)),
    )


def _signal(code: int | None, sent: str | None) -> str | None:
    """Return the signal that ended a process, or that it ended after."""
    return signal.Signals(-code).name if code is not None and code < 0 else sent


def _last_written(log: Path) -> datetime | None:
    try:
        return _time(log.stat().st_mtime)
    except OSError:
        return None


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
