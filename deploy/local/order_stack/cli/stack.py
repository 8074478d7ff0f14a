"""The commands for the embedded stack: up, down, status, logs, and its parts one by one."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from order_stack.cli.options import JsonOption, NameOption, err, out, print_json
from order_stack.cluster import state
from order_stack.problems import StackProblem
from order_stack.supervision.signals import (
    Signal,
    StopRequested,
    ignoring_signals,
    stop_on_signals,
)

FOREGROUND_TICK = 0.3
INTERRUPTED = 130

Service = Annotated[str, typer.Argument(metavar="SERVICE", help="As `orders status` names it.")]


def up(  # noqa: PLR0913, PLR0917  each is an option of the command
    name: NameOption = "default",
    detach: Annotated[bool, typer.Option("--detach", help="Return when all is ready.")] = False,
    data: Annotated[Path | None, typer.Option(help="Keep the data in this directory.")] = None,
    kafka: Annotated[str | None, typer.Option(help="Use this broker (host:port).")] = None,
    mongo: Annotated[str | None, typer.Option(help="Use this database (URI).")] = None,
    brokers: Annotated[int, typer.Option(help="Kafka brokers: 1, or 3 for a cluster.")] = 1,
    mongo_members: Annotated[int, typer.Option(help="mongods of the replica set: 1 or 3.")] = 1,
    gateways: Annotated[int, typer.Option(help="Gateways.")] = 1,
    writers: Annotated[int, typer.Option(help="Order-writers.")] = 1,
    enrichers: Annotated[int, typer.Option(help="Enrichers.")] = 1,
    triggers: Annotated[int, typer.Option(help="Action-triggers.")] = 1,
    partitions: Annotated[int, typer.Option(help="Partitions of each topic, for good.")] = 12,
    secure: Annotated[
        bool,
        typer.Option("--secure", help="TLS, a login for each workload, and no right too many."),
    ] = False,
    traces: Annotated[
        bool, typer.Option("--traces", help="A Zipkin, and every trace sent to it.")
    ] = False,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="A Prometheus, where it is installed, with alerts.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Start Kafka, MongoDB, the four services and a receiver of webhooks."""
    from order_stack.cli.printing import status_tables
    from order_stack.cluster.stack_plan import StackOptions
    from order_stack.cluster.topology import Topology
    from order_stack.supervision import data_folders
    from order_stack.supervision.status import json_of, stack_status
    from order_stack.supervision.up import up as put_up

    began = time.monotonic()
    folder = state.folder_of(name)
    topology = Topology(
        brokers, mongo_members, gateways, writers, enrichers, triggers, partitions, secure
    )
    options = StackOptions(data, kafka, mongo, topology, traces, metrics)
    if data:
        data_folders.refuse_used(data, name)
    with stop_on_signals():
        try:
            stack = put_up(name, options, _report)
            if as_json:
                print_json(json_of(stack_status(stack, folder), secrets=True))
            else:
                out().print(status_tables.addresses(stack, secrets=True))
                err().print(f"Ready after {time.monotonic() - began:.1f} s.")
            if not detach:
                _stay(folder)
        except StopRequested:
            _stop(name, folder)


def _stay(folder: Path) -> None:
    """Wait for Ctrl-C, or for an `orders down` from elsewhere."""
    err().print("Ctrl-C stops it.")
    while (folder / "stack.json").exists():
        time.sleep(FOREGROUND_TICK)


def _stop(name: str, folder: Path) -> None:
    """Stop the stack; one that was still starting has been undone already."""
    from order_stack.supervision.down import down as take_down

    if not (folder / "stack.json").exists():
        raise typer.Exit(INTERRUPTED)
    err().print("Stopping …")
    with ignoring_signals():
        take_down(name)


def status(
    secrets: Annotated[bool, typer.Option("--secrets", help="Print the API key, too.")] = False,
    name: NameOption = "default",
    as_json: JsonOption = False,
) -> None:
    """Show what is wrong, what runs and what is where; exit code 1 where a part isn't ready."""
    from order_stack.cli.printing import status_tables
    from order_stack.supervision.status import json_of, stack_status

    stack, folder = state.known(name)
    seen = stack_status(stack, folder)
    if as_json:
        print_json(json_of(seen, secrets=secrets))
    else:
        out().print(*status_tables.whole(seen, secrets=secrets), sep="\n")
    if seen.problems:
        raise typer.Exit(1)


def down(name: NameOption = "default") -> None:
    """Stop everything; data that wasn't given a directory of its own is removed."""
    from order_stack.supervision.down import down as take_down

    with ignoring_signals():
        take_down(name)


def kill(
    service: Service,
    signal: Annotated[Signal, typer.Option(help="Which signal to send.")] = "KILL",
    name: NameOption = "default",
) -> None:
    """Send a signal to one part; nothing restarts it."""
    from order_stack.supervision import lifecycle

    stack, folder = state.known(name)
    lifecycle.kill(lifecycle.part_named(stack, service), folder, signal)


def start(
    service: Annotated[
        str | None, typer.Argument(metavar="[SERVICE]", help="As `orders status` names it.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every part that isn't running, backends first.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Return when it is ready, not just alive.")] = True,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Another setting, for this start only."),
    ] = None,
    name: NameOption = "default",
) -> None:
    """Start a part that was killed, as it was started first but for what --set changes."""
    from order_stack.supervision import lifecycle

    stack, folder = state.known(name)
    if everything:
        if service or settings:
            raise StackProblem("--all starts every part as it was: name no part, and set nothing.")
        started = lifecycle.start_all(stack, folder, _report, wait=wait)
        err().print(f"{len(started)} started." if started else "Every part is running.")
        return
    if service is None:
        raise StackProblem("Name a part as `orders status` does, or pass --all.")
    part = lifecycle.with_settings(lifecycle.part_named(stack, service), settings or ())
    lifecycle.start(part, folder, wait=wait)


def _report(line: str) -> None:
    err().print(Text(f"{line} …"))
