"""The compose file, and what its services see of the folders around it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from support.manifests.pods import ROOT, Manifest, documents

COMPOSE = ROOT / "deploy" / "compose"


def services() -> dict[str, Manifest]:
    [whole] = documents(COMPOSE / "compose.yaml")
    found: dict[str, Manifest] = whole["services"]
    return found


def mounts(service: str) -> Iterator[tuple[Path, Path]]:
    """Yield each file or folder of the repository that a service sees, and where it sees it."""
    for it in services()[service].get("volumes", []):
        source, target, *_ = it.split(":")
        if source.startswith("."):
            yield (COMPOSE / source).resolve(), Path(target)


def mounted_in(root: Path, service: str) -> Path:
    """Copy what a service sees to where it sees it, below *root*; return *root*."""
    for source, target in mounts(service):
        place = root / target.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place)
        else:
            shutil.copy(source, place)
    return root
