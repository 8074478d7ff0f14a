"""Which release runs here."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

UNKNOWN: Final = "unknown"
DISTRIBUTION: Final = "order-runtime"
"""Whose version is the release: all packages of the workspace have the same."""


def release() -> str:
    """Return the version; UNKNOWN where it runs from its sources, or is being installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return UNKNOWN
