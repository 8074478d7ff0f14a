"""The embedded stack: side by side, killed and started part by part, gone without a trace."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import psutil
import pytest
from pymongo import MongoClient

from support.builders.bodies import Json
from support.stack.backends import Backends
from support.stack.running_stack import OrdersCommand, RunningStack, processes_under, running_stack
from support.stack.wait import until

SLACK = timedelta(seconds=1)  # by which threads of one process write out of order

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]


def pids(stack: RunningStack) -> list[int]:
    seen = stack.status()
    return [item["pid"] for item in (*seen["services"], *seen["parts"])]


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A state folder that must be empty, but for logs, when the test is over."""
    home = tmp_path / "orders-home"
    yield home
    assert not list(home.glob("*/stack.json"))


def test_the_status_names_everything(stack: RunningStack, backends: Backends) -> None:
    seen = stack.status()
    services = [service["name"] for service in seen["services"]]
    assert services == ["gateway", "order-writer", "enricher", "action-trigger"]
    assert all(service["ready"] and service["pid"] for service in seen["services"])
    assert {part["name"] for part in seen["parts"]} == {"receiver", *backends.parts}
    assert all(part["ready"] for part in seen["parts"])


def test_a_second_stack_runs_beside_and_its_data_outlives_it(
    stack: RunningStack, home: Path, tmp_path: Path
) -> None:
    """Neither shares a process or an address with the other, and one's end is not the other's."""
    data = tmp_path / "data"
    with running_stack(home, "--data", str(data)) as other:
        _remember(other, "it")
        processes = pids(other)
        assert not set(processes) & set(pids(stack))
        assert not _addresses(stack) & _addresses(other)
        other.orders("down")
        assert not any(map(alive, processes))
        assert [it.name for it in (home / other.name).iterdir()] == ["logs"]
        left = other.orders("logs", "gateway", "--tail", "1")
        assert (bool(left.stdout), "is down" in left.stderr) == (True, True)
    assert all(service["ready"] for service in stack.status()["services"])
    with running_stack(home, "--data", str(data)) as again:
        assert _remembered(again) == ["it"]
        assert again.apikey == other.apikey


def _addresses(stack: RunningStack) -> set[str]:
    return {stack.gateway, stack.kafka.servers, stack.mongo, stack.receiver}


def _remember(stack: RunningStack, what: str) -> None:
    with MongoClient[dict[str, str]](stack.mongo, timeoutMS=10_000) as client:
        client["notes"]["notes"].insert_one({"_id": what})


def _remembered(stack: RunningStack) -> list[str]:
    with MongoClient[dict[str, str]](stack.mongo, timeoutMS=10_000) as client:
        return [note["_id"] for note in client["notes"]["notes"].find()]


def test_a_killed_service_shows_and_starts_again(stack: RunningStack) -> None:
    before = stack.part("enricher")
    stack.kill("enricher")
    killed = stack.part("enricher")
    said = stack.orders("status", check=False)
    stack.start("enricher")
    after = stack.part("enricher")
    assert (killed["pid"], killed["ready"]) == (None, False)
    assert (killed["state"], killed["signal"], bool(killed["since"])) == ("dead", "SIGKILL", True)
    assert said.returncode == 1
    assert said.stdout.startswith("enricher is dead since")
    assert (after["ready"], after["state"]) == (True, "running")
    assert after["pid"] != before["pid"]
    assert after["url"] == before["url"]


def test_a_stopped_service_is_there_but_not_ready_until_it_goes_on(stack: RunningStack) -> None:
    before = stack.part("gateway")
    stack.kill("gateway", "STOP")
    frozen = stack.part("gateway")
    stack.kill("gateway", "CONT")
    assert (frozen["pid"], frozen["ready"]) == (before["pid"], False)
    assert (frozen["state"], frozen["signal"]) == ("frozen", "SIGSTOP")
    assert until(lambda: stack.part("gateway") == before)


def test_the_logs_of_all_parts_are_merged_by_time(stack: RunningStack, backends: Backends) -> None:
    lines = stack.orders("logs", "--json").stdout.splitlines()
    records = [json.loads(line) for line in lines]
    times = [moment for it in records if (moment := _time_of(it))]
    assert {"gateway", *backends.parts} <= {it["part"] for it in records}
    assert len({moment.date() for moment in times}) <= 2  # the brokers' too are times of day
    assert all(later - earlier > -SLACK for earlier, later in pairwise(times))


def _time_of(record: Json) -> datetime | None:
    text = record.get("timestamp") or record.get("t", {}).get("$date")
    return datetime.fromisoformat(text) if text else None


def test_the_status_says_how_far_the_groups_are_and_keeps_the_key_to_itself(
    stack: RunningStack,
) -> None:
    shown = json.loads(stack.orders("status", "--json").stdout)
    assert shown["lag"].keys() == {"order-writer", "enricher", "action-trigger"}
    assert "apikey" not in shown
    assert stack.apikey not in stack.orders("status").stdout
    assert stack.apikey in stack.orders("status", "--secrets").stdout


def test_what_runs_is_not_started_twice(stack: RunningStack) -> None:
    done = stack.orders("start", "gateway", check=False)
    assert done.returncode == 1
    assert "is running already" in done.stderr


def test_an_unknown_part_is_told_with_those_there_are(stack: RunningStack) -> None:
    done = stack.orders("kill", "billing", check=False)
    assert done.returncode == 1
    assert "no part 'billing'" in done.stderr
    assert "order-writer" in done.stderr


def test_a_mongod_that_does_not_run_is_one_sentence(home: Path) -> None:
    command = OrdersCommand("broken", home)
    done = command.run("up", "--detach", check=False, env={"ORDERS_MONGOD": "/bin/false"})
    assert done.returncode == 1
    assert "ORDERS_MONGOD" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.faults
def test_a_service_that_stops_while_starting_leaves_nothing_running(
    home: Path, tmp_path: Path
) -> None:
    """Its log outlives it, because the sentence points there."""
    (tmp_path / "enricher.py").write_text("raise SystemExit('no luck')")
    command = OrdersCommand("broken", home)
    done = command.run("up", "--detach", check=False, env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1
    log = home / "broken" / "logs" / "enricher.log"
    assert f"enricher stopped while starting; its log says why: {log}" in done.stderr
    assert "Traceback" not in done.stderr
    assert log.read_text().strip() == "no luck"
    assert not processes_under(home)


@pytest.mark.faults
def test_ctrl_c_leaves_no_process_and_no_directory(home: Path) -> None:
    command = OrdersCommand("foreground", home)
    with subprocess.Popen(
        command.argv("up"), env=command.environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as up:
        assert up.stdout is not None
        first = up.stdout.readline()  # printed when all is ready
        file = home / "foreground" / "stack.json"
        state = json.loads(file.read_text()) if file.exists() else {}
        up.send_signal(signal.SIGINT)
        _, said = up.communicate(timeout=60)
    assert b"Gateway" in first, said.decode()
    assert up.returncode == 0
    assert [it.name for it in (home / "foreground").iterdir()] == ["logs"]
    assert not Path(state["data"]).exists()
    assert not processes_under(home)


def test_the_gateway_takes_the_stacks_key_and_one_made_for_it(stack: RunningStack) -> None:
    made = json.loads(stack.orders("keys", "new", "a test", "--json").stdout)
    for key in (stack.apikey, made["key"]):
        assert _status_of(stack, key) == 404
    stack.orders("keys", "revoke", made["id"])
    assert _status_of(stack, made["key"]) == 401


def _status_of(stack: RunningStack, key: str) -> int:
    address = f"{stack.gateway}/api/v3/orders/jobs/none"
    return httpx.get(address, headers={"apikey": key}, timeout=10).status_code
