"""
What MongoDB does for a piece of work, counted by its own profiler: never how long it takes.

The profiler writes one entry for each statement of whatever process sends it; a command with many
updates, as a bulk write is, takes one round trip and leaves an entry for each of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from pymongo import MongoClient

PROFILE_BYTES: Final = 64 * 1024 * 1024
_NO_WORK: Final = ("system.profile", "$cmd")


@dataclass(frozen=True, slots=True)
class Work:
    """What a piece of work cost MongoDB."""

    statements: int = 0
    """Queries and further pages of them, inserts of many; updates and deletions one by one."""
    keys: int = 0
    """Entries of indexes that were read."""
    examined: int = 0
    """Documents that were read, whether they matched or not."""
    returned: int = 0
    """Documents that were sent to a client."""
    written: int = 0
    """Documents that were inserted, changed or deleted."""

    def __add__(self, other: Work) -> Work:
        return Work(
            self.statements + other.statements,
            self.keys + other.keys,
            self.examined + other.examined,
            self.returned + other.returned,
            self.written + other.written,
        )


class Profile:
    """
    The work that is done in one database within the context, by collection.

    Turns the profiler on and, on exit, off. `Profile(uri, name)` is used as `with … as profile`.
    """

    def __init__(self, mongo: str, database: str) -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(mongo)
        self._database = self._client[database]
        self._work: dict[str, Work] = {}
        self._operations: Counter[str] = Counter()
        self.entries: list[dict[str, Any]] = []
        """The profiler's entries, in the order of time, once the block has ended."""

    def __enter__(self) -> Self:
        self._database.command("profile", 0)
        self._database.drop_collection("system.profile")
        self._database.create_collection("system.profile", capped=True, size=PROFILE_BYTES)
        self._database.command("profile", 2)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._database.command("profile", 0)
        self.entries = list(self._database["system.profile"].find())
        for entry in self.entries:
            self._count(entry)
        self._database.drop_collection("system.profile")
        self._client.close()

    def of(self, *collections: str) -> Work:
        """Return the work in these collections; in all of them where none is named."""
        names = collections or tuple(self._work)
        return sum((self._work.get(name, Work()) for name in names), Work())

    def operations(self, collection: str) -> dict[str, int]:
        """Return how many statements of each operation there were in a collection."""
        found = (it.split(" ", 1) for it in self._operations.elements())
        return dict(Counter(operation for name, operation in found if name == collection))

    def _count(self, entry: dict[str, Any]) -> None:
        name = entry["ns"].partition(".")[2]
        if name.endswith(_NO_WORK):
            return
        changed = ("ninserted", "nModified", "ndeleted", "nUpserted")
        work = Work(
            statements=1,
            keys=entry.get("keysExamined", 0),
            examined=entry.get("docsExamined", 0),
            returned=entry.get("nreturned", 0),
            written=sum(entry.get(field, 0) for field in changed),
        )
        self._work[name] = self._work.get(name, Work()) + work
        self._operations[f"{name} {entry['op']}"] += 1
