"""Whether documents of an earlier shape are left, asked once in a run where the answer is no."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pymongo.database import Database
from pymongo.errors import ExecutionTimeout

from order_operations.diagnosis.facts import SchemaStep
from order_operations.migrations.index_plan import StepKind
from order_runtime.mongo.client import Document
from order_runtime.mongo.collections import MIGRATIONS, Migration

ANSWER_MS: Final = 2_000


class EarlierShapes:
    """
    What a run knows of documents that `orders migrate apply` would change.

    Where none are left, a collection is searched whole to learn it: so a migration of which there
    are none isn't asked for again, and neither is anything after a search that took too long.
    """

    def __init__(self, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        self._open = tuple(migrations)
        self._too_slow: ExecutionTimeout | None = None

    def steps(self, database: Database[Document]) -> list[SchemaStep]:
        """Return a step for each migration with documents left; raises PyMongoError."""
        if self._too_slow is not None:
            raise self._too_slow
        try:
            self._open = tuple(it for it in self._open if _are_left(database, it))
        except ExecutionTimeout as error:
            self._too_slow = error
            raise
        return [
            SchemaStep(StepKind.CHANGE_DOCUMENTS, f"{it.collection}: {it.name}")
            for it in self._open
        ]


def _are_left(database: Database[Document], migration: Migration) -> bool:
    selects = dict(migration.selects)
    found = database[migration.collection].find_one(selects, {"_id": 1}, max_time_ms=ANSWER_MS)
    return found is not None
