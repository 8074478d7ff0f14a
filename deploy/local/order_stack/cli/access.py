"""The commands that give each workload the rights that it needs, and no others."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from order_stack.cli.options import JsonOption, out, print_json
from order_stack.cli.system_options import SystemOptions, on_a_system
from order_stack.cluster.parts import ADMIN
from order_stack.problems import StackProblem

if TYPE_CHECKING:
    from order_operations.access.plan import AccessPlan, Holdings
    from order_operations.connections.system_address import MongoAddress
    from order_runtime.access.rights import KafkaRight, MongoRight
    from order_runtime.kafka.address import KafkaAddress

Principals = Mapping[str, Sequence[str]]

COLUMNS: Final = ("kind", "holder", "operation", "on")
NOTHING_TO_DO: Final = "All workloads have the rights that they need, and no others."


class Part(StrEnum):
    KAFKA = "kafka"
    MONGO = "mongo"


PrefixOption = Annotated[
    str, typer.Option(help="Of the principals' names, as in User:PREFIXgateway.")
]
PrincipalOption = Annotated[
    list[str] | None,
    typer.Option(
        "--principal",
        metavar="WORKLOAD=User:NAME",
        help="The principal of a workload instead; a workload may have several.",
    ),
]
OnlyOption = Annotated[Part | None, typer.Option(help="Only Kafka's ACLs, or MongoDB's roles.")]

access_app = typer.Typer(
    no_args_is_help=True, help="The rights of all workloads: Kafka's ACLs, MongoDB's roles."
)


@access_app.command("plan")
@on_a_system
def plan(
    system: SystemOptions,
    prefix: PrefixOption = "",
    principal: PrincipalOption = None,
    only: OnlyOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show the rights that are missing or superfluous.

    Exit code 1 where Kafka or MongoDB has no access control, is away or refuses; else 0, whether
    or not there is something to do.
    """
    from order_operations.access import kafka_acls, mongo_roles

    does = kafka_acls.plan, mongo_roles.plan
    _print(_each(system, _principals(prefix, principal), only, *does), as_json=as_json)


@access_app.command("apply")
@on_a_system
def apply(
    system: SystemOptions,
    prefix: PrefixOption = "",
    principal: PrincipalOption = None,
    only: OnlyOption = None,
    grant_only: Annotated[
        bool,
        typer.Option(
            "--grant-only",
            help="Revoke nothing, as while services of the release before still run.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """
    Grant what is missing, then revoke what is superfluous; show what was done.

    Whatever else the workloads' principals may do is revoked, so they must be of this system alone;
    of others nothing is. Makes no users, and may be said again. Exit codes as those of `plan`.
    """
    from order_operations.access import kafka_acls, mongo_roles

    does = (
        partial(kafka_acls.apply, revoke=not grant_only),
        partial(mongo_roles.apply, revoke=not grant_only),
    )
    _print(_each(system, _principals(prefix, principal), only, *does), as_json=as_json)


def _principals(prefix: str, named: Sequence[str] | None) -> Principals:
    from order_operations.access.plan import principals_by_workload

    return principals_by_workload(prefix, named or ())


def _each(
    system: SystemOptions,
    principals: Principals,
    only: Part | None,
    on_kafka: Callable[[KafkaAddress, Holdings[KafkaRight]], AccessPlan[KafkaRight]],
    on_mongo: Callable[[MongoAddress, Holdings[MongoRight]], AccessPlan[MongoRight]],
) -> Iterator[AccessPlan[Any]]:
    """Yield what was planned or done in Kafka and in MongoDB."""
    from order_operations.access.plan import kafka_holdings, mongo_holdings

    if only is not Part.MONGO:
        yield on_kafka(system.kafka_address(ADMIN), kafka_holdings(principals))
    if only is not Part.KAFKA:
        yield on_mongo(system.mongo_address(ADMIN), mongo_holdings())


def _print(found: Iterable[AccessPlan[Any]], *, as_json: bool) -> None:
    """Print a line for each right; then fail with a sentence where there is no access control."""
    plans = list(found)
    steps = [step for it in plans for step in it.steps]
    rows = [(str(it.kind), it.holder, it.right.operation, it.right.on) for it in steps]
    problems = [it.problem for it in plans if it.problem]
    if as_json:
        print_json([dict(zip(COLUMNS, row, strict=True)) for row in rows])
    elif rows:
        table = Table(*COLUMNS, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        out().print(table)
    elif not problems:
        out().print(NOTHING_TO_DO)
    if problems:
        raise StackProblem("\n".join(problems))
