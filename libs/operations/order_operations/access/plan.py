"""The steps from the rights that principals and roles have to those that workloads need. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Generic

from order_operations.problems import OperationFailed
from order_operations.workloads.kafka_rights import own_groups
from order_operations.workloads.table import WORKLOADS, Workload
from order_runtime.access.rights import KafkaRight, MongoRight, R

USER: Final = "User:"
ROLE: Final = "ordermill-"

Holdings = Mapping[str, frozenset[R]]
"""The rights of each principal in Kafka, or of each role in MongoDB."""


class AccessStepKind(StrEnum):
    """What a step does; rights are granted before others are revoked."""

    GRANT = "grant"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class AccessStep(Generic[R]):
    """A right that is missing, or superfluous."""

    kind: AccessStepKind
    holder: str
    """The principal in Kafka, or the role in MongoDB."""
    right: R


@dataclass(frozen=True, slots=True)
class AccessPlan(Generic[R]):
    """The steps in one system, and a sentence where it controls no access."""

    steps: Sequence[AccessStep[R]]
    problem: str | None = None
    others: Mapping[str, frozenset[R]] = field(default_factory=dict)
    """What other principals of Kafka may do; no step changes it."""


def kafka_holdings(principals: Mapping[str, Sequence[str]]) -> Holdings[KafkaRight]:
    """Return what principals, given by workload, are to hold; one may be of several workloads."""
    found = defaultdict[str, frozenset[KafkaRight]](frozenset)
    for workload in WORKLOADS:
        for principal in principals[workload.name]:
            own = {own_groups(principal)} if workload.owns_groups else set[KafkaRight]()
            found[principal] |= workload.kafka | own
    return found


def mongo_holdings() -> Holdings[MongoRight]:
    """Return what each role is to hold; who is outside has none."""
    return {role_of(it): it.mongo for it in WORKLOADS if it.mongo}


def role_of(workload: Workload) -> str:
    return f"{ROLE}{workload.name}"


def principals_by_workload(
    prefix: str = "", named: Iterable[str] = ()
) -> Mapping[str, Sequence[str]]:
    """
    Return the principals of each workload: *named*, or `User:`, *prefix* and the workload's name.

    *named* are WORKLOAD=PRINCIPAL; a workload may be named again. Raises OperationFailed.
    """
    found: dict[str, list[str]] = {it.name: [] for it in WORKLOADS}
    for it in named:
        workload, _, principal = it.partition("=")
        if workload not in found:
            raise OperationFailed(f"{workload!r} is no workload: there is {', '.join(found)}.")
        if not principal.startswith(USER) or principal in {USER, f"{USER}*"}:
            raise OperationFailed(f"{it!r} must name one principal, as in {workload}=User:NAME.")
        found[workload].append(principal)
    return {name: given or [f"{USER}{prefix}{name}"] for name, given in found.items()}


def access_steps(wanted: Holdings[R], found: Holdings[R]) -> list[AccessStep[R]]:
    """Return what *wanted* holders lack, then what they have beyond it; others don't count."""
    nothing: frozenset[R] = frozenset()
    granted: list[AccessStep[R]] = []
    revoked: list[AccessStep[R]] = []
    for holder, rights in wanted.items():
        has = found.get(holder, nothing)
        granted += _steps(AccessStepKind.GRANT, holder, rights - has)
        revoked += _steps(AccessStepKind.REVOKE, holder, has - rights)
    return granted + revoked


def rights_of_others(wanted: Holdings[R], found: Holdings[R]) -> Holdings[R]:
    """Return what those have who are no *wanted* holders."""
    return {holder: rights for holder, rights in found.items() if holder not in wanted}


def without_revoking(plan: AccessPlan[R]) -> AccessPlan[R]:
    """Return what is left of *plan* while services of the release before still run."""
    granted = [it for it in plan.steps if it.kind is AccessStepKind.GRANT]
    return replace(plan, steps=granted)


def _steps(kind: AccessStepKind, holder: str, rights: Iterable[R]) -> list[AccessStep[R]]:
    return [AccessStep(kind, holder, it) for it in sorted(rights, key=_order)]


def _order(right: KafkaRight | MongoRight) -> tuple[str, str]:
    return right.on, right.operation
