"""
The status of a job as filters of what is stored, for lists: it is computed, never stored. Pure.

Of a status that few jobs have, indexes hold exactly those jobs. One that most have is no filter:
jobs are read in the order of the list, and the others left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from order_contracts.job import Enrichment, JobStatus, Operation

_LACKING: Final = str(Enrichment.CONTACT_MISSING)
_ACTION: Final = str(Operation.ACTION)


@dataclass(frozen=True, slots=True)
class JobSelection:
    """Jobs, or enrichments of jobs, that an index has in the order of the list."""

    where: Mapping[str, Any]
    of_enrichments: bool = False
    """Whether it selects enrichments: each has its job's id and time."""

    @property
    def sort_field(self) -> str:
        """The field with the time by which jobs are listed."""
        return "acceptedAt" if self.of_enrichments else "at"


RARE_STATUSES: Final[Mapping[JobStatus, tuple[JobSelection, ...]]] = MappingProxyType(
    {
        JobStatus.FAILED: (
            JobSelection({"failure": {"$exists": True}}),
            JobSelection({"state": _LACKING, "fails": True}, of_enrichments=True),
            JobSelection({"enrichment.state": _LACKING, "operation": _ACTION}),
        ),
        JobStatus.COMPLETED_WITH_ERRORS: (
            JobSelection({"state": _LACKING, "fails": False}, of_enrichments=True),
            JobSelection({"enrichment.state": _LACKING, "operation": {"$ne": _ACTION}}),
        ),
        # A job that is only accepted is not stored yet.
        JobStatus.ACCEPTED: (),
    }
)
"""
Which documents are of jobs with a status; together they are all of them.

The last of each is of jobs of earlier releases, which have their enrichment inside.
"""
