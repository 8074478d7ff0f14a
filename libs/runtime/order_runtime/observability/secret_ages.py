"""
Since when the files are as they are that hold the secrets of a process.

A secret is at least as old as its file is unchanged: it may have been older when it was written
there. Of a secret that is no file nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from order_runtime.process.secret_files import secret_path, secret_variables
from order_runtime.process.settings import ServiceSettings

STAYS: Final = frozenset({"erasure_secret"})
"""What is never changed: with another one, erased contacts would be found again."""
_UNCHANGED_SINCE: Final[dict[str, datetime]] = {}


def note_secret(name: str, path: Path) -> None:
    """Note since when a file is unchanged whose secret is in use now; not of one that is gone."""
    with suppress(OSError):
        _UNCHANGED_SINCE[name] = datetime.fromtimestamp(path.stat().st_mtime, UTC)


def note_secrets(settings: type[ServiceSettings]) -> None:
    """Note the files of all secrets among the settings, which are read at the start."""
    for field, variable in secret_variables(settings).items():
        path = secret_path(variable)
        if path is not None and field not in STAYS:
            note_secret(variable, path)


def unchanged_since() -> Mapping[str, datetime]:
    """Return when each secret's file was changed last, by the name of what it is."""
    return dict(_UNCHANGED_SINCE)
