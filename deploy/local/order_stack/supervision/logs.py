"""The logs of a stack, one file a part; lines of several begin with the part's name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from order_stack.cluster.parts import Part

INTERVAL = 0.2


class Tail:
    """A growing file: each `read` yields the complete lines since the one before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def read(self) -> Iterator[str]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._at += len(line)
                yield line.decode(errors="replace").rstrip("\n")


def show(
    parts: Sequence[Part], folder: Path, write: Callable[[str], None], *, follow: bool
) -> None:
    """Write what the logs hold; with *follow* go on until the stack is gone."""
    width = max(len(part.name) for part in parts)
    tails = [(part, Tail(Path(part.log))) for part in parts]
    while True:
        for part, tail in tails:
            for line in tail.read():
                write(line if len(parts) == 1 else f"{part.name:<{width}} | {line}")
        if not follow or not (folder / "stack.json").exists():
            return
        time.sleep(INTERVAL)
