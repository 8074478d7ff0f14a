"""Whether files have changed since they were last looked at: for what is read without a restart."""

from __future__ import annotations

from pathlib import Path

Version = tuple[int, int, int]


class WatchedFiles:
    """Files that are read together, such as a certificate and its key."""

    def __init__(self, *paths: Path) -> None:
        self._paths = paths
        self._seen: list[Version | None] | None = None

    def changed(self) -> bool:
        """Return whether one of them is another than at the last call; true at the first."""
        seen = [_version(path) for path in self._paths]
        changed, self._seen = seen != self._seen, seen
        return changed


def _version(path: Path) -> Version | None:
    """Return what differs once a file is written or replaced; None where it isn't there."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
