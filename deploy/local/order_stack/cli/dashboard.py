"""The command that opens a Kafka dashboard in the browser."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from order_stack.cli.options import err
from order_stack.cli.system_options import SystemOptions, on_a_system


@on_a_system
def dashboard(
    system: SystemOptions,
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Listen there; a free port by default.")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open it in the browser, or only say it.")
    ] = True,
) -> None:
    """Show topics, records and consumer groups in the browser, until Ctrl-C."""
    from order_operations.workloads.table import DASHBOARD
    from order_stack.cluster.state import root
    from order_stack.dashboard.run import run_dashboard
    from order_stack.supervision.signals import StopRequested, stop_on_signals

    def say(text: str) -> None:
        err().print(Text(text))

    try:
        with stop_on_signals():
            home = root(os.environ, Path.home())
            run_dashboard(system.kafka_address(DASHBOARD), home, port, say, browser=browser)
    except StopRequested:
        return
