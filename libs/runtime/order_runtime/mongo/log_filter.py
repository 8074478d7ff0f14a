"""Which entries of the integration log a list is of, and the index that has them in its order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from order_contracts.integration_log import SEVERITIES, Severity
from order_runtime.mongo.collections import (
    LOG_BY_CODE,
    LOG_BY_JOB,
    LOG_BY_ORDER,
    LOG_BY_SEVERITY,
    NEWEST_FIRST,
)
from order_runtime.mongo.indexes import Index


@dataclass(frozen=True, slots=True)
class LogFilter:
    """The entries that meet all that is not None."""

    code: str | None = None
    severity: Severity | None = None
    order_id: str | None = None
    job_id: str | None = None
    since: datetime | None = None
    only_open: bool = False
    """Whether those that are resolved are left out."""

    @property
    def index(self) -> Index:
        """The index by which the fewest entries are read, in the order of the list."""
        if self.job_id is not None:
            return LOG_BY_JOB
        if self.order_id is not None:
            return LOG_BY_ORDER
        if self.code is not None:
            return LOG_BY_CODE
        return NEWEST_FIRST if self.severity is None else LOG_BY_SEVERITY

    def indexed(self) -> list[Mapping[str, Any]]:
        """Return the conditions that the index meets by where it is read."""
        return [it for it in self._conditions() if self._in_index(it)]

    def others(self) -> list[Mapping[str, Any]]:
        """Return the conditions for which entries that were read are left out."""
        return [it for it in self._conditions() if not self._in_index(it)]

    def _conditions(self) -> list[Mapping[str, Any]]:
        values = {"code": self.code, "severity": self.severity}
        values |= {"orderId": self.order_id, "jobId": self.job_id}
        found: list[Mapping[str, Any]] = [
            {name: it} for name, it in values.items() if it is not None
        ]
        if self.index is LOG_BY_CODE and self.severity is None:
            # Named all: each is a part of the index in the order of the list, to be merged.
            found.append({"severity": {"$in": list(SEVERITIES)}})
        if self.only_open:
            found.append({"resolvedAt": None})
        return [*found, {"at": {"$gte": self.since}}] if self.since else found

    def _in_index(self, condition: Mapping[str, Any]) -> bool:
        return condition.keys() <= {name for name, _ in self.index.keys}
