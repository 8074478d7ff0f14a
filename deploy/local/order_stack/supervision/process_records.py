"""What is remembered of a part's process: its start, the signal that was sent to it, its exit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from order_stack.cluster.parts import Part
from order_stack.cluster.state import write_privately
from order_stack.supervision.signals import Signal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProcessStart:
    """Identifies a process: its pid may be reused, but not with the same start time."""

    pid: int
    at: float


@dataclass(frozen=True, slots=True)
class SentSignal:
    """The signal that `orders kill` sent, and when the process had stopped or ended by it."""

    process: ProcessStart
    signal: Signal
    at: float


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How a process ended, as the command that started it read it: below 0 the signal's number."""

    process: ProcessStart
    code: int
    at: float


_START = TypeAdapter(ProcessStart)
_SIGNAL = TypeAdapter(SentSignal)
_EXIT = TypeAdapter(ProcessExit)


def save_start(part: Part, folder: Path, started: ProcessStart) -> None:
    _path(part, folder).parent.mkdir(exist_ok=True)
    write_privately(_path(part, folder), _START.dump_json(started))


def start_of(part: Part, folder: Path) -> ProcessStart | None:
    """Return the start of the part's last process; None where it was never started."""
    try:
        return _START.validate_json(_path(part, folder).read_bytes())
    except FileNotFoundError:
        return None


def save_signal(part: Part, folder: Path, sent: SentSignal) -> None:
    write_privately(_path(part, folder, ".signal"), _SIGNAL.dump_json(sent))


def signal_to(part: Part, folder: Path, process: ProcessStart) -> SentSignal | None:
    """Return the last signal that `orders kill` sent to this process of the part."""
    found = _read(_path(part, folder, ".signal"), _SIGNAL)
    return found if found and found.process == process else None


def save_exit(part: Part, folder: Path, ended: ProcessExit) -> None:
    write_privately(_path(part, folder, ".exit"), _EXIT.dump_json(ended))


def exit_of(part: Part, folder: Path, process: ProcessStart) -> ProcessExit | None:
    """Return how this process of the part ended, where the command that started it saw it."""
    found = _read(_path(part, folder, ".exit"), _EXIT)
    return found if found and found.process == process else None


def _path(part: Part, folder: Path, of: str = "") -> Path:
    return folder / "pids" / f"{part.name}{of}.json"


def _read(path: Path, adapter: TypeAdapter[T]) -> T | None:
    """Return what the file holds; None where there is none, or one of another release."""
    try:
        return adapter.validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
