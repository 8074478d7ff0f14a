"""Examples of the documentation, extracted and run on a real stack."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from support.stack.running_stack import ORDERS, RunningStack

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
HTTP_API = ROOT / "docs" / "http-api.md"
PUBLISHING = ROOT / "docs" / "publishing-directly.md"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def blocks(document: Path, heading: str, language: str = "bash") -> list[str]:
    """Return the fenced blocks of *language* between a heading and the next one."""
    text = document.read_text()
    bare = _FENCE.sub(
        lambda block: " " * len(block[0]), text
    )  # in a block # is a comment, not a heading
    headings = list(_HEADING.finditer(bare))
    ends = [*(it.start() for it in headings[1:]), len(text)]
    sections = [
        text[it.end() : end] for it, end in zip(headings, ends, strict=True) if it[1] == heading
    ]
    assert len(sections) == 1, f"{document.name} has {len(sections)} sections {heading!r}"
    return [block[2] for block in _FENCE.finditer(sections[0]) if block[1] == language]


class Shell:
    """
    A shell at the root of a clone, in which `orders` uses the tests' stack.

    Variables are kept from one block to the next.
    """

    def __init__(self, stack: RunningStack, folder: Path) -> None:
        self.stack = stack
        self._folder = folder
        self._environ = stack.command.environ()
        command = folder / ".venv" / "bin" / "orders"
        command.parent.mkdir(parents=True)
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(str(ORDERS))} "$@" --name {stack.name}\n')
        command.chmod(0o755)
        (folder / "deploy").symlink_to(ROOT / "deploy")

    def type(self, block: str) -> str:
        """Run *block*; return what it prints."""
        memory = self._folder / "environment"
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", f"set -a\n{block}\nenv -0 > environment"],
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        pairs = (pair.split("=", 1) for pair in memory.read_text().split("\0") if pair)
        self._environ = dict(pairs)
        return done.stdout


def prepared_shell(stack: RunningStack, folder: Path) -> Shell:
    """Return a shell after the README's section on starting a stack."""
    shell = Shell(stack, folder)
    for block in blocks(README, "Start a stack"):
        if "orders up" not in block:  # the stack is running
            shell.type(block)
    return shell
