"""
Print the entries of a lock, with their hashes, for what pip resolved: the rest isn't installed.

    pip install --dry-run --report report.json … && python restrict_lock.py report.json LOCK
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def resolved(report: dict[str, Any]) -> set[str]:
    """Return the packages of pip's report, but for those that are folders of this repository."""
    return {
        _name(it["metadata"]["name"])
        for it in report["install"]
        if "dir_info" not in it["download_info"]
    }


def entries(lock: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of each entry; a name has several where platforms differ."""
    for entry in re.split(r"\n(?=[A-Za-z0-9])", lock.strip()):
        yield _name(entry.partition("==")[0]), entry


def restricted(lock: str, names: set[str]) -> str:
    """Return the entries of these names; leaves the process with a sentence where one has none."""
    found = [(name, entry) for name, entry in entries(lock) if name in names]
    if missing := sorted(names - {name for name, _ in found}):
        raise SystemExit(f"The lock has no {', '.join(missing)}: run make lock.")
    return "".join(f"{entry}\n" for _, entry in found)


def _name(name: str) -> str:
    """Return a package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def main(report: Path, lock: Path) -> None:
    names = resolved(json.loads(report.read_text()))
    sys.stdout.write(restricted(lock.read_text(), names))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
