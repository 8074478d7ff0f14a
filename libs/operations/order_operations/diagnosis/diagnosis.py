"""All checks of the facts together. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from order_contracts.times import rfc3339
from order_operations.diagnosis import (
    backend_checks,
    delivery_checks,
    process_checks,
    rights_checks,
    secret_checks,
    state_checks,
    work_checks,
)
from order_operations.diagnosis.facts import Facts
from order_operations.diagnosis.finding import Finding, Severity, ordered

Check = Callable[[Facts], Iterable[Finding]]
CHECKS: Final[tuple[Check, ...]] = (
    backend_checks.access,
    backend_checks.brokers,
    backend_checks.members,
    backend_checks.disks,
    backend_checks.requirements,
    backend_checks.unanswered,
    rights_checks.rights,
    process_checks.processes,
    state_checks.states,
    state_checks.conditions,
    state_checks.certificates,
    state_checks.clocks,
    state_checks.releases,
    work_checks.commands,
    work_checks.contacts,
    work_checks.clients,
    delivery_checks.endpoints,
    delivery_checks.actions,
    delivery_checks.deliveries,
    work_checks.pauses,
    work_checks.dead_letters,
    work_checks.waiting,
    secret_checks.keys,
    secret_checks.secrets,
)
ALL_CLEAR: Final = "All clear: {processes} processes live, Kafka and MongoDB answer, nothing waits."


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong with a system at one moment, the cause first."""

    at: datetime
    findings: Sequence[Finding]
    """With what follows from each inside of it; notices last."""
    processes: int
    """How many are alive."""

    @property
    def problems(self) -> list[Finding]:
        """What is wrong now."""
        return [it for it in self.findings if it.severity is not Severity.NOTICE]

    @property
    def notices(self) -> list[Finding]:
        return [it for it in self.findings if it.severity is Severity.NOTICE]


def diagnose(facts: Facts) -> Diagnosis:
    """Return all findings, causes first."""
    found = ordered(finding for check in CHECKS for finding in check(facts))
    return Diagnosis(facts.at, found, len(process_checks.alive(facts)))


def all_clear(diagnosis: Diagnosis) -> str:
    return ALL_CLEAR.format(processes=diagnosis.processes)


def changes(before: Diagnosis | None, after: Diagnosis) -> tuple[list[Finding], list[Finding]]:
    """Return the problems that began between two looks, and those that are over; first, all."""
    old = {it.key: it for it in before.problems} if before else {}
    new = {it.key: it for it in after.problems}
    begun = [it for key, it in new.items() if key not in old]
    return begun, [it for key, it in old.items() if key not in new]


def json_of(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return a diagnosis as data."""
    return {
        "at": rfc3339(diagnosis.at),
        "ok": not diagnosis.problems,
        "processes": diagnosis.processes,
        "findings": [finding_json(it) for it in diagnosis.problems],
        "notices": [finding_json(it) for it in diagnosis.notices],
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "code": str(finding.code),
        "severity": finding.severity.name.lower(),
        "subject": finding.subject,
        "sentence": finding.sentence,
        "matters": finding.matters,
        "helps": finding.helps,
        "since": rfc3339(finding.since) if finding.since else None,
        "follows": [finding_json(it) for it in finding.follows],
    }
