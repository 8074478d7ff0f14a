"""Files of JSON lines, as people and other systems write them."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

from order_operations.problems import OperationFailed


def lines_of(file: Path) -> Iterator[tuple[int, bytes]]:
    """
    Yield number and bytes of each line that is not blank; a byte order mark is skipped.

    Raises OperationFailed where the file can't be read.
    """
    try:
        content = file.read_bytes().removeprefix(BOM_UTF8)
    except OSError as error:
        raise OperationFailed(f"{file} can't be read: {error.strerror}.") from error
    # Split by line feeds alone: a JSON string may hold Unicode's other line separators.
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            yield number, line.strip()


def text_lines_of(file: Path) -> list[str]:
    """Return the lines as text; raises OperationFailed with the number of one that isn't UTF-8."""
    lines = []
    for number, line in lines_of(file):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            raise OperationFailed(
                f"{file}, line {number} is not UTF-8; nothing was sent."
            ) from None
    return lines
