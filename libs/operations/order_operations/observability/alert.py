"""An alert as data: when it fires, what it says, which other one is its cause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from order_operations.observability.timing import MINUTE

Severity = Literal["critical", "warning", "info"]
"""critical: somebody gets up; warning: in the working day; info: to be looked at some time."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule; its name is that of its section in the runbook."""

    name: str
    runbook: str
    """The file under docs/runbooks, without its ending."""
    expr: str
    severity: Severity
    summary: str
    """One sentence, which may have Prometheus' templates."""
    for_: timedelta = MINUTE
    causes: tuple[str, ...] = ()
    """Alerts that keep this one quiet while they fire: this one is then what they look like."""
    labels: tuple[str, ...] = ()
    """Labels of its series; of those that a cause has as well, both must have the same values."""

    @property
    def section(self) -> str:
        """Return the address of the runbook's section below docs/runbooks."""
        return f"{self.runbook}.md#{self.name.lower()}"
