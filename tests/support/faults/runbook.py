"""The commands of a section of docs/runbooks/loss.md, run in turn as they stand there."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from support.stack.doc_examples import ROOT
from support.stack.running_stack import RunningStack

LOSS = ROOT / "docs" / "runbooks" / "loss.md"
_BLOCK = re.compile(r"^ *```bash\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


class Steps:
    """What is left to do of a section."""

    def __init__(self, stack: RunningStack, commands: list[str]) -> None:
        self._stack = stack
        self.left = commands

    def next(self, *more: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Do the next step, with *more* options; it stays the next one where it may fail."""
        words = shlex.split(self.left[0])[1:]
        if check:
            del self.left[0]
        return self._stack.orders(*words, *more, check=check)


@contextmanager
def runbook(stack: RunningStack, heading: str) -> Iterator[Steps]:
    """Yield the steps of a section; all must be done in the block."""
    steps = Steps(stack, commands(LOSS.read_text(), heading))
    assert steps.left, heading
    yield steps
    assert not steps.left, "the drill leaves steps of the runbook out"


def commands(text: str, heading: str) -> list[str]:
    """Return the `orders` commands in the shell blocks of a section."""
    sections = dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", text, re.MULTILINE))
    lines = (
        line.strip() for block in _BLOCK.findall(sections[heading]) for line in block.split("\n")
    )
    return [line for line in lines if line.startswith("orders ")]
