"""The commands that make Kafka's topics what the contract wants: created, with their settings."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from order_contracts.topics import DEFAULT_PARTITIONS, MAX_PARTITIONS, MIGRATOR, topics_with
from order_stack.cli.options import JsonOption, out, print_json
from order_stack.cli.system_options import SystemOptions, on_a_system
from order_stack.problems import StackProblem

if TYPE_CHECKING:
    from order_operations.topics.plan import TopicStep

COLUMNS = ("kind", "topic", "setting", "found", "wanted")
NOTHING_TO_DO = "The topics are what the contract wants: nothing to do."

PartitionsOption = Annotated[
    int,
    typer.Option(
        min=1,
        max=MAX_PARTITIONS,
        help="Of each topic, for good; the consumers' ORDERMILL_PARTITIONS is the same.",
    ),
]
ReplicasOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="Of each partition, at least; by default 3, with fewer brokers one on each."
    ),
]

AddPartitionsOption = Annotated[
    bool,
    typer.Option(
        "--add-partitions",
        help="Add those that topics lack: with publishers and consumers stopped, and all read.",
    ),
]

topics_app = typer.Typer(
    no_args_is_help=True, help="Kafka's topics and their settings, as the contract wants them."
)


@topics_app.command("plan")
@on_a_system
def plan(
    system: SystemOptions,
    partitions: PartitionsOption = DEFAULT_PARTITIONS,
    replicas: ReplicasOption = None,
    add_partitions: AddPartitionsOption = False,
    as_json: JsonOption = False,
) -> None:
    """
    Show what `apply` would do, and what it can't.

    Exit code 1 where something can't be altered, or Kafka is away or refuses; else 0, whether or
    not there is something to do.
    """
    from order_operations.topics import kafka_topics

    kafka, topics = system.kafka_address(MIGRATOR), topics_with(partitions)
    found = kafka_topics.plan(kafka, topics, replicas, add_partitions=add_partitions)
    _print(found, NOTHING_TO_DO, as_json=as_json)
    _fail_for_what_is_left(found)


@topics_app.command("apply")
@on_a_system
def apply(
    system: SystemOptions,
    partitions: PartitionsOption = DEFAULT_PARTITIONS,
    replicas: ReplicasOption = None,
    add_partitions: AddPartitionsOption = False,
    as_json: JsonOption = False,
) -> None:
    """
    Create topics and alter settings; show what was done, once Kafka shows it too.

    No records are deleted, and it may be said again. Exit code 1 where something can't be altered,
    or Kafka is away or refuses; else 0.
    """
    from order_operations.topics import kafka_topics

    kafka, topics = system.kafka_address(MIGRATOR), topics_with(partitions)
    found = kafka_topics.apply(kafka, topics, replicas, add_partitions=add_partitions)
    nothing = "Nothing was done." if found else NOTHING_TO_DO
    _print([it for it in found if it.automatic], nothing, as_json=as_json)
    _fail_for_what_is_left(found)


def _print(steps: Sequence[TopicStep], nothing: str, *, as_json: bool) -> None:
    from order_operations.json_values import json_of

    rows = [json_of(it) for it in steps]
    if as_json:
        print_json(rows)
        return
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*["-" if row[it] is None else str(row[it]) for it in COLUMNS])
    out().print(table if rows else nothing)


def _fail_for_what_is_left(steps: Sequence[TopicStep]) -> None:
    from order_operations.topics.plan import reasons

    if left := list(reasons(steps)):
        raise StackProblem("\n".join(left))
