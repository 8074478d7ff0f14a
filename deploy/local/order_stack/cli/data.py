"""The commands that put data in or show it: reference data, orders, keys, and the demo."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from order_stack import ndjson
from order_stack.cli.options import JsonOption, NameOption, err, out, print_json
from order_stack.cluster import state
from order_stack.problems import StackProblem

reference_app = typer.Typer(no_args_is_help=True, help="Contacts, articles and stores.")
keys_app = typer.Typer(no_args_is_help=True, help="API keys of a stack's gateway.")


@reference_app.callback()
def reference_group() -> None:
    """Contacts, articles and stores."""


@reference_app.command("load")
def load_reference(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="NDJSON files.")],
    timeout: Annotated[float, typer.Option(help="Seconds the enricher may take.")] = 120.0,
    name: NameOption = "default",
    as_json: JsonOption = False,
) -> None:
    """Publish reference data; return when the enricher has read it."""
    from order_operations import reference_load

    stack, _ = state.known(name)
    found = [entry for file in files for entry in reference_load.entries(file)]
    with err().status("Publishing, and waiting for the enricher to read it"):
        ends = reference_load.publish(stack.kafka, found)
        reference_load.wait_until_read(stack.kafka, ends, timeout)
    counts = Counter(entry.kind.topic.name for entry in found)
    if as_json:
        print_json({"published": len(found), "topics": dict(counts)})
    else:
        lines = (f"{count:>7} to {topic}" for topic, count in sorted(counts.items()))
        out().print("\n".join(lines) or "Nothing to load.")


@reference_app.command("show")
def show_reference(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="contact, article or store.")],
    identity: Annotated[str, typer.Argument(metavar="ID", help="Its contactId, sku or id.")],
    name: NameOption = "default",
) -> None:
    """Print what the enricher keeps of one, as JSON; a contact's keys are personal data."""
    from order_operations import reference_view

    stack, _ = state.known(name)
    print_json(reference_view.shown(stack, kind, identity))


@reference_app.command("count")
def count_reference(name: NameOption = "default", as_json: JsonOption = False) -> None:
    """Count what is known, and the orders and actions that wait for more."""
    from order_operations import reference_view

    stack, _ = state.known(name)
    figures = reference_view.counts(stack)
    if as_json:
        print_json(figures)
    else:
        out().print(reference_view.table(figures))


def submit(  # noqa: PLR0913, PLR0917  each is an option of the command
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One order a line.")],
    wait: Annotated[bool, typer.Option("--wait", help="Follow the jobs until settled.")] = False,
    refused: Annotated[
        Path | None, typer.Option(help="Where refused lines go; by default beside the file.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at a time.")] = 32,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds without progress after which --wait gives up.")
    ] = 120.0,
    name: NameOption = "default",
    as_json: JsonOption = False,
) -> None:
    """Register the orders of a file; exit code 1 where some got no answer or did not settle."""
    import asyncio

    from order_stack.cli import submit_summary
    from order_stack.demo import submit as submitting

    stack, _ = state.known(name)
    target = refused or file.with_name(f"{file.name.removesuffix('.ndjson')}.refused.ndjson")
    if target.resolve() == file.resolve():
        raise StackProblem("--refused names the file of orders itself; name another one.")
    orders = ndjson.text_of(file)
    with submit_summary.Bars() as bars:
        follow_for = timeout if wait else None
        outcome = asyncio.run(submitting.run(stack, orders, concurrency, follow_for, bars))
    figures = outcome.summary(submitting.write_refused(outcome, target))
    if as_json:
        print_json(figures)
    else:
        out().print(submit_summary.table(figures))
    if outcome.unsettled or any(answer.unsent for answer in outcome.answers):
        raise typer.Exit(1)


@keys_app.command("new")
def new_key(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Whose key it is.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="May be given several times; all by default.")
    ] = None,
    rate: Annotated[int, typer.Option(help="Requests a second; 0 is no limit.")] = 200,
    name: NameOption = "default",
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it; it can't be shown again."""
    from order_stack.cli import keys

    stack, _ = state.known(name)
    key = keys.file_of(stack).new(label, keys.scopes(scope), rate or None)
    if as_json:
        print_json({"key": key, "id": key.partition(".")[0]})
    else:
        typer.echo(key)


@keys_app.command("list")
def list_keys(name: NameOption = "default", as_json: JsonOption = False) -> None:
    """List all keys, revoked ones too; never the keys themselves."""
    from order_stack.cli import keys

    stack, _ = state.known(name)
    rows = keys.shown(stack)
    if as_json:
        print_json(rows)
    else:
        out().print(keys.table(rows))


@keys_app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `orders keys list` shows it.")],
    name: NameOption = "default",
) -> None:
    """Revoke a key."""
    from order_stack.cli import keys

    stack, _ = state.known(name)
    if not keys.file_of(stack).revoke(key_id):
        raise StackProblem(f"There is no key {key_id!r}; `orders keys list` shows them.")


def demo() -> None:
    """Show it all: a stack of its own, sample orders, what becomes of them; then it is gone."""
    from order_stack.demo.run import demo as show
    from order_stack.supervision.signals import asking

    with asking():
        show(out())
