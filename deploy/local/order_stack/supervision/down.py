"""Stops a stack: services first, then the brokers and mongods that they write to."""

from __future__ import annotations

import shutil
from pathlib import Path

from order_stack.cluster import state
from order_stack.cluster.parts import Stack
from order_stack.supervision import processes
from order_stack.supervision.signals import Signal


def stop_all(stack: Stack, folder: Path) -> None:
    processes.stop(stack.of_kind("service"), folder)
    processes.stop(stack.of_kind("receiver"), folder)
    processes.stop(stack.of_kind("observer"), folder, "KILL")  # it keeps nothing
    # A directory that is thrown away needs no orderly shutdown of what wrote it.
    how: Signal = "TERM" if stack.keep_data else "KILL"
    processes.stop(stack.of_kind("mongod", "broker"), folder, how)


def take_down(stack: Stack, folder: Path, *, keep_logs: bool = False) -> None:
    """Stop every process; remove all but a data directory that the caller chose, and the logs."""
    stop_all(stack, folder)
    if not stack.keep_data:
        shutil.rmtree(stack.data, ignore_errors=True)
    state.forget(folder, keep_logs=keep_logs)


def down(name: str) -> None:
    """Take a stack down; its logs stay, for whoever asks afterwards what went wrong."""
    stack, folder = state.known(name)
    with state.claimed(folder):
        take_down(stack, folder, keep_logs=True)
