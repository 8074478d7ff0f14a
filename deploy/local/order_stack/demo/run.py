"""`orders demo`: from nothing to delivered webhooks on a real stack, which is gone afterwards."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import resources
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.rule import Rule
from rich.text import Text

from order_contracts.topics import PUBLIC, TOPICS
from order_operations import kafka_client, mongo_client, reference_load
from order_stack import ndjson
from order_stack.cluster import state
from order_stack.cluster.parts import Stack
from order_stack.demo import demo_report, submit
from order_stack.demo.demo_report import Board
from order_stack.demo.submit import Outcome
from order_stack.problems import StackProblem
from order_stack.supervision.down import take_down
from order_stack.supervision.signals import uninterrupted
from order_stack.supervision.up import Say, Wish, up

CONCURRENCY = 4  # few enough to watch
PATIENCE = 60.0  # seconds without progress
REFRESH = 0.4
READERS = {topic.name: sorted(topic.readers - {PUBLIC}) for topic in TOPICS}


def demo(console: Console) -> None:
    """Show everything, stop everything; the stack is its own, whatever else is up."""
    began = time.monotonic()
    name = f"demo-{secrets.token_hex(3)}"
    console.print(Rule("Ordermill: orders in, signed webhooks out", align="left"))
    try:
        with step(console, "Started Kafka, MongoDB and the four services") as say:
            stack = up(name, Wish(), say)
        _run(stack, console)
    finally:
        _stop(name, console)
    console.print(
        Rule(f"{time.monotonic() - began:.1f} s in all; nothing is left running", align="left")
    )


def _stop(name: str, console: Console) -> None:
    with uninterrupted():
        folder = state.folder_of(name)
        if stack := state.load(folder):
            with step(console, "Stopped everything"):
                take_down(stack, folder)


def _run(stack: Stack, console: Console) -> None:
    with resources.as_file(resources.files("order_stack.demo") / "sample") as sample:
        with step(console, "Loaded contacts, articles and stores"):
            _load(stack, sample)
        orders = ndjson.text_of(sample / "orders.ndjson")
    with step(console, f"Registered {len(orders)} sample orders; all jobs settled", spinner=False):
        outcome = asyncio.run(_flow(stack, orders, console))
    _report(stack, outcome, console)
    if outcome.unsettled:
        raise StackProblem(f"{outcome.unsettled} jobs did not settle within {PATIENCE:.0f} s.")


@contextmanager
def step(console: Console, label: str, spinner: bool = True) -> Iterator[Say]:
    """Spin on a terminal while it is done, then say that it is, with the seconds it took."""
    began = time.monotonic()
    spins = spinner and console.is_terminal
    with console.status(label) if spins else nullcontext() as status:
        yield status.update if status else lambda _: None
    console.print(Text(f"  {label:<60}{time.monotonic() - began:>6.1f} s", style="green"))


def _load(stack: Stack, sample: Path) -> None:
    files = ("contacts.ndjson", "articles.ndjson", "stores.ndjson")
    found = [entry for file in files for entry in reference_load.entries(sample / file)]
    reference_load.wait_until_read(
        stack.kafka, reference_load.publish(stack.kafka, found), PATIENCE
    )


async def _flow(stack: Stack, orders: Sequence[str], console: Console) -> Outcome:
    """Submit and follow; on a terminal the board is drawn meanwhile."""
    seen = Board(total=len(orders))
    drawn = Live(seen, console=console, transient=True) if console.is_terminal else nullcontext()
    with drawn:
        looking = asyncio.create_task(_look(stack, seen))
        try:
            return await submit.run(stack, orders, CONCURRENCY, PATIENCE, seen)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


async def _look(stack: Stack, seen: Board) -> None:
    while True:
        seen.topics = await asyncio.to_thread(kafka_client.depths, stack.kafka, READERS)
        seen.webhooks = len(await asyncio.to_thread(_received, stack))
        await asyncio.sleep(REFRESH)


def _report(stack: Stack, outcome: Outcome, console: Console) -> None:
    seen = Board(
        total=len(outcome.answers),
        answers=list(outcome.answers),
        jobs={job["jobId"]: job for job in outcome.jobs},
        topics=kafka_client.depths(stack.kafka, READERS),
    )
    received = _received(stack)
    seen.webhooks = len(received)
    console.print("", seen)
    console.print(demo_report.refusals(outcome.answers))
    console.print(demo_report.integration_log(_log_entries(stack)))
    console.print(demo_report.webhooks(received))


def _received(stack: Stack) -> list[dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"{stack.receiver}/received", timeout=5) as answer:  # noqa: S310
            found: list[dict[str, Any]] = json.load(answer)
    except OSError as error:
        raise StackProblem(f"The receiver of webhooks does not answer ({error}).") from error
    return found


def _log_entries(stack: Stack) -> list[dict[str, Any]]:
    with mongo_client.connect(stack.mongo, seconds=10) as client:
        entries = (
            client[stack.database]["integration_log"].find().sort([("code", 1), ("orderId", 1)])
        )
        return [dict(entry) for entry in entries]
