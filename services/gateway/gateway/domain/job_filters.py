"""The status of a job as a MongoDB filter: it is computed from what is stored. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from order_contracts.job import Enrichment, JobStatus, Operation

_CONTACT_MISSING: Final = {"enrichment.state": str(Enrichment.CONTACT_MISSING)}
_ACTION: Final = {"operation": str(Operation.ACTION)}
_FAILED: Final = {"$or": [{"failure": {"$exists": True}}, {"$and": [_CONTACT_MISSING, _ACTION]}]}
# An alias has no status of its own: it shows that of the job it repeats.
_NO_ALIAS: Final = {"aliasOf": {"$exists": False}}

STATUS_FILTERS: Final[Mapping[JobStatus, Mapping[str, Any]]] = MappingProxyType(
    {
        # A job that is only accepted has no document yet.
        JobStatus.ACCEPTED: {**_NO_ALIAS, "_id": {"$exists": False}},
        JobStatus.FAILED: {**_NO_ALIAS, **_FAILED},
        JobStatus.COMPLETED_WITH_ERRORS: {
            **_NO_ALIAS,
            "$and": [_CONTACT_MISSING, {"$nor": [_FAILED]}],
        },
        JobStatus.COMPLETED: {**_NO_ALIAS, "$nor": [_FAILED, _CONTACT_MISSING]},
    }
)
"""Each selects the documents for which `status_of` returns this status."""
