"""Which running stack uses a data directory."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from order_stack.cluster import state
from order_stack.cluster.parts import Stack
from order_stack.problems import StackProblem
from order_stack.supervision.processes import alive


def refuse_used(data: Path, name: str) -> None:
    """Raise StackProblem where another stack than *name* runs on this directory."""
    for file in sorted(state.folder_of(name).parent.glob("*/stack.json")):
        stack = _readable(file.parent)
        if stack is None or stack.name == name or not _uses(stack, data):
            continue
        if alive(stack.parts, file.parent):
            raise StackProblem(
                f"The stack {stack.name!r} runs on {data}; `orders down --name {stack.name}` stops"
                " it, and another --data directory makes another stack."
            )


def _uses(stack: Stack, data: Path) -> bool:
    return Path(stack.data).resolve() == data.resolve()


def _readable(folder: Path) -> Stack | None:
    with suppress(StackProblem):
        return state.load(folder)
    return None
