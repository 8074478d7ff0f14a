"""The `orders` command: what may be typed, and which module does it."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from order_stack.cli import data, dead_letters, deliveries, privacy
from order_stack.cli.options import JsonOption, NameOption, err, out, print_json
from order_stack.cluster import state
from order_stack.problems import StackProblem
from order_stack.supervision.processes import Signal
from order_stack.supervision.signals import Asked, asking, uninterrupted

FOREGROUND_TICK = 0.3
INTERRUPTED = 130


class OneSentence(TyperGroup):
    """Problems that a person can solve are told in a sentence, with exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except StackProblem as problem:
            err().print(Text(str(problem), style="red"))
            raise typer.Exit(1) from problem
        except Asked:
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=OneSentence,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run the whole order system on this machine, and talk to it.",
)
app.add_typer(data.reference_app, name="reference")
app.add_typer(data.keys_app, name="keys")
app.add_typer(dead_letters.dlq_app, name="dlq")
app.add_typer(deliveries.deliveries_app, name="deliveries")
app.add_typer(privacy.privacy_app, name="privacy")
app.command("submit")(data.submit)
app.command("demo")(data.demo)

Service = Annotated[str, typer.Argument(metavar="SERVICE", help="As `orders status` names it.")]


@app.command()
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
    as_json: JsonOption = False,
) -> None:
    """Start Kafka, MongoDB, the four services and a receiver of webhooks."""
    from order_stack.cluster.topology import Topology
    from order_stack.supervision import status as reporting
    from order_stack.supervision.up import Wish
    from order_stack.supervision.up import up as put_up

    began = time.monotonic()
    folder = state.folder_of(name)
    topology = Topology(brokers, mongo_members, gateways, writers, enrichers, triggers)
    wish = Wish(data, kafka, mongo, topology)
    with asking():
        try:
            stack = put_up(name, wish, lambda it: err().print(Text(f"{it} …")))
            if as_json:
                print_json(reporting.status(stack, folder))
            else:
                out().print(reporting.addresses(stack))
                err().print(f"Ready after {time.monotonic() - began:.1f} s.")
            if not detach:
                _stay(folder)
        except Asked:
            _stop(name, folder)


def _stay(folder: Path) -> None:
    """Wait for Ctrl-C, or for an `orders down` from elsewhere."""
    err().print("Ctrl-C stops it.")
    while (folder / "stack.json").exists():
        time.sleep(FOREGROUND_TICK)


def _stop(name: str, folder: Path) -> None:
    """Take down what is up; where it was still coming up, that has been undone already."""
    from order_stack.supervision.down import down as take_down

    if not (folder / "stack.json").exists():
        raise typer.Exit(INTERRUPTED)
    err().print("Stopping …")
    with uninterrupted():
        take_down(name)


@app.command()
def status(name: NameOption = "default", as_json: JsonOption = False) -> None:
    """Show what is where, and what runs."""
    from order_stack.supervision import status as reporting

    stack, folder = state.known(name)
    seen = reporting.status(stack, folder)
    if as_json:
        print_json(seen)
    else:
        out().print(reporting.addresses(stack), "", reporting.processes(seen))


@app.command()
def down(name: NameOption = "default") -> None:
    """Stop everything; data that wasn't given a directory of its own is removed."""
    from order_stack.supervision.down import down as take_down

    with uninterrupted():
        take_down(name)


@app.command("logs")
def show_logs(
    service: Annotated[str | None, typer.Argument(help="One part; all by default.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    name: NameOption = "default",
) -> None:
    """Show the logs."""
    from order_stack.supervision import lifecycle, logs

    stack, folder = state.known(name)
    parts = [lifecycle.named(stack, service)] if service else stack.parts
    with asking():
        logs.show(parts, folder, typer.echo, follow=follow)


@app.command()
def kill(
    service: Service,
    signal: Annotated[Signal, typer.Option(help="Which signal to send.")] = "KILL",
    name: NameOption = "default",
) -> None:
    """Send a signal to one part; nothing restarts it."""
    from order_stack.supervision import lifecycle

    stack, folder = state.known(name)
    lifecycle.kill(lifecycle.named(stack, service), folder, signal)


@app.command()
def start(
    service: Service,
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
    part = lifecycle.changed(lifecycle.named(stack, service), settings or ())
    lifecycle.start(part, folder, wait=wait)
