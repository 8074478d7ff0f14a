"""What a failed run leaves for whoever has to find out why: its history as files, and all logs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bson import json_util

from support.faults.cluster import FaultCluster
from support.laws.history import collect
from support.model.canonical import different


@contextmanager
def failure_artifacts(folder: Path, scene: FaultCluster) -> Iterator[None]:
    """Write all there is to *folder* if the body fails."""
    try:
        yield
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        error.add_note(f"Everything known is in {folder}")
        _keep(folder, scene)
        raise


def _keep(folder: Path, scene: FaultCluster) -> None:
    logs = scene.stack.command.home / scene.stack.name / "logs"
    shutil.copytree(logs, folder / "logs")
    journal = scene.journal
    for name, found in (
        ("calls", journal.calls),
        ("publications", journal.publications),
        ("faults", journal.faults),
    ):
        write(folder / f"{name}.ndjson", (asdict(it) for it in found))
    with suppress(Exception):  # Kafka or MongoDB may be what is broken: the rest is kept anyway
        _keep_stored(folder, scene)


def _keep_stored(folder: Path, scene: FaultCluster) -> None:
    history = collect(scene.stack, scene.journal)
    for topic, records in history.records.items():
        write(folder / f"topic {topic}.ndjson", (asdict(it) for it in records))
    for name, documents in history.documents.items():
        write(folder / f"collection {name}.ndjson", documents)
    write(folder / "webhooks.ndjson", (asdict(it) for it in history.hooks))


def write(path: Path, items: Iterable[Any]) -> None:
    with path.open("w") as file:
        file.writelines(f"{json.dumps(it, default=_plain)}\n" for it in items)


def differing(before: str, after: str, folder: Path) -> Sequence[str]:
    """Return the lines that only one of two dumps has; both dumps are kept if there are any."""
    if found := different(before, after):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "differences.txt").write_text("\n".join(found))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return json.loads(json_util.dumps(value))
