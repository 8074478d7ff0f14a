"""A service as a process: how it ends, what it logs of that, and what it answers meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from support.harness.free_ports import free_port

SECONDS = 20  # more than any of these processes takes
PROGRAM = """
import asyncio
from order_runtime.process.errors import BadSettings, UnrecoverableError
from order_runtime.process.service_runner import Process, run_service
from order_runtime.process.settings import ServiceSettings

async def together(*errors):
    async def fail(error):
        raise error
    async with asyncio.TaskGroup() as tasks:
        for error in errors:
            tasks.create_task(fail(error))

def run(process: Process[ServiceSettings]) -> None:
    {body}

run_service("tested", ServiceSettings, run)
"""


def started(body: str, **settings: str) -> subprocess.Popen[str]:
    environment = {
        "ORDERMILL_KAFKA": "127.0.0.1:1",
        "ORDERMILL_MONGO": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100",
        "ORDERMILL_INSTANCE": "tested-1",
        "ORDERMILL_HEALTH_PORT": str(free_port()),
        **settings,
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=body)],
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(body: str) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit status of a service that runs *body*, and the lines of its log."""
    process = started(body)
    out, _ = process.communicate(timeout=SECONDS)
    first, *lines = [json.loads(line) for line in out.splitlines()]
    assert (first["event"], first["version"]) == ("started", version("order-runtime"))
    return process.returncode, lines


def test_a_service_that_ends_leaves_with_status_0() -> None:
    status, lines = ended("return None")

    assert (status, [line["event"] for line in lines]) == (0, ["stopped"])
    assert (lines[0]["service"], lines[0]["instance"]) == ("tested", "tested-1")


def test_a_crash_is_status_70_and_its_text_is_nobodys() -> None:
    """It may quote a document."""
    status, [line] = ended('raise ValueError("ada@example.com")')

    assert (status, line["event"], line["level"]) == (70, "crashed", "critical")
    assert line["error"] == "ValueError"
    assert "ada@example.com" not in json.dumps(line)


def test_who_refuses_to_go_on_says_why_and_leaves_with_status_1() -> None:
    status, [line] = ended('raise UnrecoverableError("MongoDB is no replica set.", detail="one")')

    assert (status, line["event"], line["detail"]) == (1, "MongoDB is no replica set.", "one")


def test_a_file_that_cant_be_used_is_status_2_and_a_line() -> None:
    status, [line] = ended('raise BadSettings("The webhooks file has no default.")')

    assert (status, line["event"]) == (2, "The webhooks file has no default.")
    assert line["level"] == "critical"


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ('UnrecoverableError("a"), UnrecoverableError("b")', (1, {"a", "b"})),
        ('UnrecoverableError("a"), ValueError("b")', (70, {"a", "crashed"})),
    ],
)
def test_of_tasks_that_fail_together_each_is_logged(
    errors: str, expected: tuple[int, set[str]]
) -> None:
    status, lines = ended(f"asyncio.run(together({errors}))")

    assert (status, {line["event"] for line in lines}) == expected


def test_bad_settings_are_status_2_and_sentences() -> None:
    process = started("return None", ORDERMILL_HEALTH_PORT="none", ORDERMILL_COLOUR="red")
    _, err = process.communicate(timeout=SECONDS)

    assert (process.returncode, err) == (2, "ORDERMILL_COLOUR is not a setting of this service.\n")


def test_a_service_that_waits_for_mongodb_answers_probes_and_stops_when_asked() -> None:
    port = free_port()
    waits = (
        "from order_runtime.startup.preflight import preflight; settings = process.settings;"
        ' preflight(settings, "enricher", process.stop)'
    )
    process = started(waits, ORDERMILL_HEALTH_PORT=str(port))
    assert process.stdout is not None
    process.stdout.readline()  # it has started
    first = json.loads(process.stdout.readline())  # it has begun to wait

    with urlopen(f"http://127.0.0.1:{port}/livez", timeout=SECONDS) as answer:
        alive = answer.status
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=SECONDS)

    assert (first["event"], alive) == ("waiting for the database", 200)
    assert (process.returncode, json.loads(out.splitlines()[-1])["event"]) == (0, "stopped")


def test_only_the_process_module_ends_processes() -> None:
    """One way to be a process: no service has an exit status of its own."""
    services = Path(__file__).parents[2] / "services"
    mains = list(services.glob("*/*/__main__.py"))

    assert len(mains) == 4
    for main in mains:
        text = main.read_text()
        assert text.count("run_service(") == 1
        assert "sys.exit" not in text
        assert "SystemExit" not in text
