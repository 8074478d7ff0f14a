"""Counting the commands that the clients of this process send to MongoDB: its round trips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pymongo import monitoring


class _Commands(monitoring.CommandListener):
    """Counts the commands to each database that is watched; clients made after it call it."""

    def __init__(self) -> None:
        self.watched: dict[str, Counter[str]] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if (counter := self.watched.get(event.database_name)) is not None:
            command: dict[str, Any] = dict(event.command)
            counter[f"{event.command_name} {command.get(event.command_name, '')}"] += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing to count: it was when it started."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing to count: it was when it started."""


_COMMANDS: Final = _Commands()
monitoring.register(_COMMANDS)


@contextmanager
def round_trips(database: str) -> Iterator[Counter[str]]:
    """
    Yield a counter of the commands to *database* within the context, as `find links`.

    Of clients that this process made after it had imported this module.
    """
    _COMMANDS.watched[database] = Counter()
    try:
        yield _COMMANDS.watched[database]
    finally:
        del _COMMANDS.watched[database]
