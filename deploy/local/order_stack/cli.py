"""The `orders` command: what may be typed, and which module does it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from rich.console import Console
from typer.core import TyperGroup

from order_stack import demo as demonstration
from order_stack import down as going_down
from order_stack import keys, lifecycle, reference, state, submit
from order_stack import logs as logging
from order_stack import status as reporting
from order_stack.problems import StackProblem
from order_stack.processes import Signal
from order_stack.signals import Asked, asking, uninterrupted
from order_stack.up import Wish
from order_stack.up import up as put_up


class OneSentence(TyperGroup):
    """Problems that a person can solve are told in a sentence, with exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except StackProblem as problem:
            Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]{problem}[/]")
            raise typer.Exit(1) from problem
        except Asked:
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=OneSentence,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Run the whole order system on this machine, and talk to it.",
)
reference_app = typer.Typer(no_args_is_help=True, help="Contacts, articles and stores.")
app.add_typer(reference_app, name="reference")
app.add_typer(keys.app, name="keys")

Name = Annotated[str, typer.Option("--name", help="Which stack; several run side by side.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]

