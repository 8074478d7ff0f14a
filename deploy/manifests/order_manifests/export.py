"""
Write the generated manifests, or check that the committed ones are current.

    python -m order_manifests.export deploy [--check]
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from order_manifests.compose import folder as compose
from order_manifests.kubernetes import folder as kubernetes

COMPOSE: Final = Path("compose")
"""The one folder that also has files written by hand."""


def rendered() -> Iterator[tuple[Path, str]]:
    """Yield path and text of every generated file."""
    yield from ((Path("kubernetes") / path, text) for path, text in kubernetes.files())
    yield from ((COMPOSE / path, text) for path, text in compose.files())


def stale(deploy: Path) -> list[Path]:
    """Return the files that differ from what the table says, or stand where only these should."""
    wanted = dict(rendered())
    folders = {deploy / path.parent for path in wanted if path.parent != COMPOSE}
    found = {it.relative_to(deploy) for folder in folders for it in folder.glob("*")}
    changed = {path for path, text in wanted.items() if _text(deploy / path) != text}
    return sorted(changed | (found - wanted.keys()))


def write(deploy: Path) -> None:
    """Make the folders of generated files hold exactly these."""
    for path in stale(deploy):
        (deploy / path).unlink(missing_ok=True)
    for path, text in rendered():
        (deploy / path).parent.mkdir(parents=True, exist_ok=True)
        (deploy / path).write_text(text)


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def main(deploy: Path, *, check: bool) -> int:
    if not check:
        write(deploy)
        return 0
    differing = stale(deploy)
    if differing:
        names = ", ".join(map(str, differing))
        sys.stderr.write(f"Not what the workloads say; run make manifests: {names}\n")
    return 1 if differing else 0


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("deploy", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    sys.exit(main(options.deploy, check=options.check))
