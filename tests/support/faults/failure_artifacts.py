"""Artifacts of a failed run: its history as NDJSON files, and all logs."""

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
from support.history.collector import collect
from support.history.database_dump import differing_lines


@contextmanager
def keep_failure_artifacts(folder: Path, cluster: FaultCluster) -> Iterator[None]:
    """Write everything known to *folder* if the body fails."""
    try:
        yield
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        error.add_note(f"Everything known is in {folder}")
        _keep(folder, cluster)
        raise


def _keep(folder: Path, cluster: FaultCluster) -> None:
    logs = cluster.stack.command.home / cluster.stack.name / "logs"
    shutil.copytree(logs, folder / "logs")
    journal = cluster.journal
    for name, found in (
        ("calls", journal.calls),
        ("publications", journal.publications),
        ("faults", journal.faults),
    ):
        write_ndjson(folder / f"{name}.ndjson", (asdict(it) for it in found))
    with suppress(Exception):  # Kafka or MongoDB may be down; the rest is kept anyway
        _keep_stored(folder, cluster)


def _keep_stored(folder: Path, cluster: FaultCluster) -> None:
    history = collect(cluster.stack, cluster.journal)
    for topic, records in history.records.items():
        write_ndjson(folder / f"topic {topic}.ndjson", (asdict(it) for it in records))
    for name, documents in history.documents.items():
        write_ndjson(folder / f"collection {name}.ndjson", documents)
    write_ndjson(folder / "webhooks.ndjson", (asdict(it) for it in history.webhooks))


def write_ndjson(path: Path, items: Iterable[Any]) -> None:
    with path.open("w") as file:
        file.writelines(f"{json.dumps(it, default=_plain)}\n" for it in items)


def save_differences(before: str, after: str, folder: Path) -> Sequence[str]:
    """Return the lines that only one of two dumps has; write them to *folder* if there are any."""
    if found := differing_lines(before, after):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "differences.txt").write_text("\n".join(found))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return json.loads(json_util.dumps(value))
