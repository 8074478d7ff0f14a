"""Reference records as they come: kept, and what waited for them looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pymongo.asynchronous.database import AsyncDatabase

from enricher import references
from enricher.matching import Keys
from enricher.tend import Tend
from order_runtime.mongo import Document
from order_runtime.records import Record


class Arrivals:
    """Handles batches of one reference topic; all of it bears being done again."""

    def __init__(self, database: AsyncDatabase[Document], tend: Tend, keys: Keys) -> None:
        self._database = database
        self._tend = tend
        self._keys = keys

    async def __call__(self, records: Sequence[Record], now: datetime) -> None:
        """Handle *records* wholly: when this returns, what they mend is mended."""
        kept = await references.keep(self._database, records, self._keys)
        await self._tend.arrived(kept.keys, now)
        await references.forget_former(self._database, kept.contacts)
