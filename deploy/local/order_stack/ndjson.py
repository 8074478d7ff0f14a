"""Files of JSON lines, as people and other systems write them."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

from order_stack.problems import StackProblem


def lines_of(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each line that is not blank; a byte order mark is skipped."""
    try:
        content = file.read_bytes().removeprefix(BOM_UTF8)
    except OSError as error:
        raise StackProblem(f"{file} can't be read: {error.strerror}.") from error
    # By line feeds alone: a JSON string may hold what else ends a line in Unicode.
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            yield number, line.strip()


def text_of(file: Path) -> list[str]:
    """Return the lines as text; a line that is not UTF-8 is a problem, with its number."""
    lines = []
    for number, line in lines_of(file):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            raise StackProblem(f"{file}, line {number} is not UTF-8; nothing was sent.") from None
    return lines
