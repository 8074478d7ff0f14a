"""Who has other rights than the workloads need, by the comparison of `orders access plan`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from order_operations.access import kafka_acls, mongo_roles
from order_operations.access.plan import (
    AccessPlan,
    AccessStepKind,
    Holdings,
    kafka_holdings,
    mongo_holdings,
    role_of,
)
from order_operations.access.right_coverage import concerns, lacking
from order_operations.connections.system_address import MongoAddress
from order_operations.diagnosis.facts import HeldRights
from order_operations.problems import OperationFailed
from order_operations.workloads.table import WORKLOADS
from order_runtime.access.rights import KafkaRight, MongoRight, R
from order_runtime.kafka.address import KafkaAddress

KAFKA: Final = "Kafka"
MONGODB: Final = "MongoDB"
NO_PRINCIPALS: Final = (
    "no principal that is named as a workload has any: --prefix and --principal name others"
)
NO_ROLES: Final = "there are no roles of `orders access apply`"

Owners = Mapping[str, Sequence[str]]
"""The workloads of each holder."""


def kafka_rights(
    kafka: KafkaAddress, principals: Mapping[str, Sequence[str]], known: Collection[str]
) -> list[HeldRights]:
    """
    Return whose ACLs differ, and who else may read or change what is this system's.

    *principals* are given by workload; *known* are others that may. Nobody, where Kafka has no
    authorizer. Raises OperationFailed where it doesn't answer, or doesn't show its ACLs.
    """
    wanted = kafka_holdings(principals)
    plan = kafka_acls.plan(kafka, wanted)
    if plan.problem:
        return []
    named = [(principal, it) for it, found in principals.items() for principal in found]
    owners = {holder: [it for principal, it in named if principal == holder] for holder in wanted}
    strangers = {it: rights for it, rights in plan.others.items() if it not in known}
    return [
        *differing(KAFKA, plan, wanted, owners, NO_PRINCIPALS),
        *of_strangers(strangers, wanted),
    ]


def mongo_rights(address: MongoAddress) -> list[HeldRights]:
    """
    Return which roles differ; none, where MongoDB has no access control.

    Raises OperationFailed where it doesn't answer, or doesn't show its roles.
    """
    wanted = mongo_holdings()
    plan = mongo_roles.plan(address, wanted)
    if plan.problem:
        return []
    owners = {role_of(it): [it.name] for it in WORKLOADS}
    return list(differing(MONGODB, plan, wanted, owners, NO_ROLES))


def differing(
    system: str, plan: AccessPlan[R], wanted: Holdings[R], owners: Owners, nobody: str
) -> Iterator[HeldRights]:
    """
    Yield who has other rights than *wanted*.

    Raises OperationFailed with *nobody* where nobody has any: they are others' who are in use.
    """
    granted = sum(it.kind is AccessStepKind.GRANT for it in plan.steps)
    if granted == len(plan.steps) == sum(map(len, wanted.values())):
        raise OperationFailed(nobody)
    missing = lacking(plan.steps)
    for holder in wanted:
        found = HeldRights(
            system,
            holder,
            owners[holder],
            tuple(_said(it.right) for it in missing if it.holder == holder),
            tuple(
                _said(it.right)
                for it in plan.steps
                if it.kind is AccessStepKind.REVOKE and it.holder == holder
            ),
        )
        if found.missing or found.superfluous:
            yield found


def of_strangers(
    rights: Holdings[KafkaRight], wanted: Holdings[KafkaRight]
) -> Iterator[HeldRights]:
    """Yield those of principals that no workload has, on what workloads have rights on."""
    ours = frozenset[KafkaRight]().union(*wanted.values())
    for holder, held in sorted(rights.items()):
        if found := sorted(it for it in held if concerns(it, ours)):
            yield HeldRights(KAFKA, holder, (), superfluous=tuple(map(_said, found)))


def _said(right: KafkaRight | MongoRight) -> str:
    return f"{right.operation} on {right.on}"
