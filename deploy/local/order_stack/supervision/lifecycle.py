"""Signals and starts single parts of a running stack; nothing restarts by itself."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import psutil

from order_stack.cluster.parts import Kind, Part, Stack
from order_stack.problems import StackProblem
from order_stack.supervision import process_records, processes
from order_stack.supervision.probes import stopped_while_starting, wait_for
from order_stack.supervision.process_records import ProcessExit, SentSignal
from order_stack.supervision.signals import Signal

SECONDS_TO_GO = 30.0
SECONDS_TO_STOP = 5.0
SECONDS_TO_START = 120.0
BACKENDS: Final[tuple[Kind, ...]] = ("mongod", "broker")

Report = Callable[[str], None]
"""Shows a person what is being done now."""


def part_named(stack: Stack, name: str) -> Part:
    part = stack.part(name)
    if part is None:
        there = ", ".join(part.name for part in stack.parts)
        raise StackProblem(f"Stack {stack.name!r} has no part {name!r}; it has {there}.")
    return part


def kill(part: Part, folder: Path, how: Signal) -> None:
    """Send the signal and return when the process has ended or stopped by it."""
    process = processes.find(part, folder)
    if process is None:
        raise StackProblem(f"{part.name} isn't running; `orders start {part.name}` starts it.")
    started = process_records.start_of(part, folder)
    processes.send(process, how)
    if how in ("KILL", "TERM") and not processes.gone(part, folder, SECONDS_TO_GO):
        raise StackProblem(
            f"{part.name} is still there {SECONDS_TO_GO:.0f} s after SIG{how}; "
            f"`orders kill {part.name}` ends it at once. Its log: {part.log}"
        )
    if how == "STOP":
        _await_stopped(process, part)
    if started:
        _remember(part, folder, SentSignal(started, how, time.time()))


def _remember(part: Part, folder: Path, sent: SentSignal) -> None:
    """Keep, for `orders status`, which signal was sent, and how the process ended if that shows."""
    process_records.save_signal(part, folder, sent)
    if (code := processes.unreaped_exit_code(sent.process)) is not None:
        process_records.save_exit(part, folder, ProcessExit(sent.process, code, sent.at))


def _await_stopped(process: psutil.Process, part: Part) -> None:
    deadline = time.monotonic() + SECONDS_TO_STOP
    while process.status() != psutil.STATUS_STOPPED:
        if time.monotonic() > deadline:
            raise StackProblem(f"{part.name} did not stop; its log: {part.log}")
        time.sleep(processes.TICK)


def with_settings(part: Part, settings: Sequence[str]) -> Part:
    """Return the part with other settings, each as NAME=VALUE."""
    for setting in settings:
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*=.*", setting, re.DOTALL):
            raise StackProblem(f"--set takes NAME=VALUE, not {setting!r}.")
    pairs = (setting.partition("=") for setting in settings)
    return replace(part, env={**part.env, **{name: value for name, _, value in pairs}})


def start(part: Part, folder: Path, *, wait: bool) -> None:
    """Start the part; return when it is live, or with *wait* when it is ready."""
    if processes.find(part, folder):
        raise StackProblem(f"{part.name} is running already; `orders kill {part.name}` ends it.")
    processes.start(part, folder)
    _await([part], folder, ready=wait)


def start_all(stack: Stack, folder: Path, report: Report, *, wait: bool) -> list[Part]:
    """
    Start every part that isn't running and return them, once all are live, or with *wait* ready.

    Backends come first, and all of them are started before one is waited for: where all brokers
    or mongods died, none is ready before a majority runs.
    """
    started: list[Part] = []
    for parts in (stack.of_kind(*BACKENDS), stack.of_kind("receiver", "observer", "service")):
        missing = [it for it in parts if not processes.find(it, folder)]
        for part in missing:
            report(f"Starting {part.name}")
            processes.start(part, folder)
        _await(missing, folder, ready=wait)
        started += missing
    return started


def _await(parts: Sequence[Part], folder: Path, *, ready: bool) -> None:
    """Return when all are ready, or else live: of a broker or mongod, when it listens."""
    if ready:
        wait_for(parts, folder, lambda it: it.ready, SECONDS_TO_START)
        return
    for part in (it for it in parts if it.kind in BACKENDS):
        _await_listening(part, folder)
    others = [it for it in parts if it.kind not in BACKENDS]
    wait_for(others, folder, lambda it: it.live, SECONDS_TO_START)


def _await_listening(part: Part, folder: Path) -> None:
    """Return when a broker or mongod takes connections; it may still wait for a majority."""
    deadline = time.monotonic() + SECONDS_TO_START
    while not _listens(part):
        if processes.find(part, folder) is None:
            raise stopped_while_starting(part)
        if time.monotonic() > deadline:
            raise StackProblem(
                f"{part.name} takes no connection after {SECONDS_TO_START:.0f} s; "
                f"its log says why: {part.log}"
            )
        time.sleep(processes.TICK)


def _listens(part: Part) -> bool:
    host, _, port = (part.address or "").rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            return True
    except OSError:
        return False
