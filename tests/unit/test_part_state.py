"""What `orders status` says of a process is what is known of it, and no more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from order_stack.cluster.parts import Part
from order_stack.supervision import lifecycle, process_records, processes
from order_stack.supervision.part_state import PartState, part_state
from order_stack.supervision.process_records import ProcessStart
from order_stack.supervision.status import PartStatus, StackStatus, json_of, problem_of
from support.builders.stacks import sleeping_part, stack_of
from support.stack.wait import until

AT = datetime(2025, 11, 28, 9, tzinfo=UTC)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Part]:
    started = sleeping_part(tmp_path)
    processes.start(started, tmp_path)
    yield started
    processes.stop([started], tmp_path, "KILL")


def dead(of: Part, folder: Path) -> PartState:
    def ended() -> PartState | None:
        seen = part_state(of, folder)
        return seen if seen.state == "dead" else None

    return until(ended, of="its end")


def test_a_running_process_is_told_with_its_start(sleeper: Part, tmp_path: Path) -> None:
    seen = part_state(sleeper, tmp_path)
    assert (seen.state, seen.signal, seen.exit_code) == ("running", None, None)
    assert seen.since is not None


def test_a_frozen_process_says_since_when_if_orders_kill_froze_it(
    sleeper: Part, tmp_path: Path
) -> None:
    process = processes.find(sleeper, tmp_path)
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    until(lambda: process.status() == psutil.STATUS_STOPPED)
    by_another = part_state(sleeper, tmp_path)
    lifecycle.kill(sleeper, tmp_path, "CONT")
    lifecycle.kill(sleeper, tmp_path, "STOP")
    by_us = part_state(sleeper, tmp_path)
    assert (by_another.state, by_another.signal, by_another.since) == ("frozen", "SIGSTOP", None)
    assert (by_us.state, by_us.since is not None) == ("frozen", True)


@pytest.mark.parametrize(
    ("code", "end"),
    [("raise SystemExit(3)", (None, 3)), ("import os; os.abort()", ("SIGABRT", None))],
)
def test_who_started_a_process_remembers_how_it_ended(
    tmp_path: Path, code: str, end: tuple[str | None, int | None]
) -> None:
    started = sleeping_part(tmp_path, code=code)
    processes.start(started, tmp_path)
    seen = dead(started, tmp_path)
    assert (seen.signal, seen.exit_code) == end
    assert seen.since is not None


def test_the_signal_of_orders_kill_is_remembered(sleeper: Part, tmp_path: Path) -> None:
    lifecycle.kill(sleeper, tmp_path, "KILL")
    seen = part_state(sleeper, tmp_path)
    assert (seen.state, seen.signal, seen.exit_code) == ("dead", "SIGKILL", None)


def test_a_process_that_nobody_has_reaped_shows_how_it_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
    started = ProcessStart(child.pid, psutil.Process(child.pid).create_time())
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.unreaped_exit_code(started) == 7
    assert processes.unreaped_exit_code(replace(started, at=started.at - 60)) is None
    child.wait()
    assert processes.unreaped_exit_code(started) is None


def test_of_a_death_that_nobody_saw_the_log_is_all_that_is_known(tmp_path: Path) -> None:
    gone = sleeping_part(tmp_path)
    Path(gone.log).write_text("the last line\n")
    (tmp_path / "pids").mkdir()
    process_records.save_start(gone, tmp_path, ProcessStart(2**22 + 1, 1.0))
    seen = part_state(gone, tmp_path)
    assert (seen.state, seen.since, seen.signal, seen.exit_code) == ("dead", None, None, None)
    assert seen.last_log_at is not None


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (
            PartState("dead", since=AT, signal="SIGKILL"),
            "x is dead since 2025-11-28T09:00:00.000Z, by SIGKILL; `orders start x` starts it.",
        ),
        (
            PartState("dead", since=AT, signal="SIGTERM", exit_code=0),
            "x is dead since 2025-11-28T09:00:00.000Z, after SIGTERM, with exit code 0; "
            "`orders start x` starts it.",
        ),
        (
            PartState("dead", last_log_at=AT),
            "x is dead, the last line of its log at 2025-11-28T09:00:00.000Z; "
            "`orders start x` starts it.",
        ),
        (PartState("dead"), "x is dead; `orders start x` starts it."),
        (
            PartState("frozen", 1, signal="SIGSTOP"),
            "x is frozen (SIGSTOP); `orders kill x --signal CONT` lets it go on.",
        ),
        (PartState("running", 1), "x runs and isn't ready; its log: /log"),
    ],
)
def test_each_problem_is_a_sentence(tmp_path: Path, state: PartState, said: str) -> None:
    of = replace(sleeping_part(tmp_path, "x"), log="/log")
    assert problem_of(PartStatus(of, state, ready=False), "default") == said


def seen_stack(tmp_path: Path, state_of: Callable[[str], PartStatus]) -> StackStatus:
    parts = tuple(map(state_of, ("gateway", "enricher", "order-writer")))
    stack = stack_of(tmp_path, *(it.part for it in parts), name="other")
    return StackStatus(stack, parts, {"enricher": 3})


def test_the_dead_come_first_then_the_frozen_and_what_is_well_is_no_problem(
    tmp_path: Path,
) -> None:
    states = {
        "gateway": PartStatus(sleeping_part(tmp_path, "gateway"), PartState("running"), ready=True),
        "enricher": PartStatus(sleeping_part(tmp_path), PartState("frozen"), ready=False),
        "order-writer": PartStatus(sleeping_part(tmp_path, "w"), PartState("dead"), ready=False),
    }
    seen = seen_stack(tmp_path, states.__getitem__)
    assert [it.split()[0] for it in seen.problems] == ["w", "enricher"]
    assert "--name other" in seen.problems[0]


def test_the_key_is_told_only_where_secrets_are_asked_for(tmp_path: Path) -> None:
    def well(name: str) -> PartStatus:
        return PartStatus(sleeping_part(tmp_path, name), PartState("running", since=AT), ready=True)

    seen = seen_stack(tmp_path, well)
    assert json_of(seen, secrets=True)["apikey"] == "a secret"
    shown = json_of(seen, secrets=False)
    assert "a secret" not in str(shown)
    assert (shown["problems"], shown["lag"]) == ([], {"enricher": 3})
