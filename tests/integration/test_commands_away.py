"""Commands whose Kafka and MongoDB are away end in time, with one sentence."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from order_stack.demo import run
from support.stack.running_stack import ORDERS

AWAY = ("--kafka", "127.0.0.1:1", "--mongo", "mongodb://127.0.0.1:1/")
CONTACTS = Path(run.__file__).parent / "sample" / "contacts.ndjson"
COMMANDS = (
    "reference count",
    "reference show contact c-1",
    f"reference load --timeout 5 {CONTACTS}",
    f"reference load --wait --timeout 5 {CONTACTS}",
    "deliveries list",
    "deliveries show x",
    "deliveries replay x",
    "deliveries endpoints",
    "deliveries pause default",
    "dlq list",
    "dlq show orders.commands.dlq/0/0",
    "dlq replay --reason x",
    "dlq drop --reason x",
    "privacy export c-1",
    "privacy erase c-1 --timeout 5",
    "offsets plan",
    "offsets apply",
    "migrate plan",
    "migrate apply",
    "topics plan",
    "topics apply",
    "access plan --only mongo",
)
SECONDS = 100  # 15 are waited for; 22 commands share the machine


def run_away(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ORDERS, *command.split(), *AWAY],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_a_command_whose_system_is_away_is_one_sentence() -> None:
    with ThreadPoolExecutor(6) as pool:
        ended = dict(zip(COMMANDS, pool.map(run_away, COMMANDS), strict=True))
    for command, done in ended.items():
        assert done.returncode == 1, command
        assert len(done.stderr.splitlines()) == 1, (command, done.stderr)
        assert "answer" in done.stderr, (command, done.stderr)
