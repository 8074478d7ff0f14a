"""A stack is remembered privately and whole, and its name can't leave its folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from order_stack.cluster import state
from order_stack.cluster.parts import Part, Probe, Stack
from order_stack.problems import StackProblem
from order_stack.supervision import processes


def part(tmp_path: Path, *code: str) -> Part:
    probe = Probe("http", "http://127.0.0.1:1/livez")
    argv = (sys.executable, "-c", *code)
    return Part("enricher", "service", argv, {"A": "1"}, str(tmp_path / "log"), probe, probe)


def stack_of(tmp_path: Path, *parts: Part) -> Stack:
    return Stack(
        name="default",
        gateways=("http://127.0.0.1:20000",),
        apikey="a key",
        kafka="127.0.0.1:20001",
        mongo="mongodb://127.0.0.1:20002/",
        database="ordermill",
        receiver="http://127.0.0.1:20003",
        data=str(tmp_path),
        keep_data=False,
        keys_file=str(tmp_path / "keys.json"),
        parts=parts,
    )


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, part(tmp_path, "pass"))
    state.save(stack, tmp_path)
    assert state.load(tmp_path) == stack


def test_the_state_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    state.save(stack_of(tmp_path), tmp_path)
    assert (tmp_path / "stack.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "A", "-x", " "])
def test_a_name_that_is_no_plain_folder_is_refused(name: str) -> None:
    with pytest.raises(StackProblem):
        state.folder_of(name)


def test_the_state_folder_is_where_the_user_says() -> None:
    home = Path("/home/u")
    assert state.root({"ORDERS_HOME": "/o", "XDG_STATE_HOME": "/x"}, home) == Path("/o")
    assert state.root({"XDG_STATE_HOME": "/x"}, home) == Path("/x/ordermill")
    assert state.root({}, home) == Path("/home/u/.local/state/ordermill")


def test_only_one_command_at_a_time_puts_a_stack_up_or_down(tmp_path: Path) -> None:
    with (
        state.claimed(tmp_path),
        pytest.raises(StackProblem, match="another command"),
        state.claimed(tmp_path),
    ):
        pass


def test_settings_meant_for_others_are_not_inherited() -> None:
    environ = {"PATH": "/bin", "ORDERMILL_KAFKA": "elsewhere", "ORDERS_MONGOD": "/x"}
    assert processes.inherited(environ) == {"PATH": "/bin"}


def test_a_started_process_is_found_until_it_is_stopped(tmp_path: Path) -> None:
    sleeper = part(tmp_path, "import time; time.sleep(60)")
    processes.start(sleeper, tmp_path)
    assert processes.find(sleeper, tmp_path) is not None
    processes.stop([sleeper], tmp_path, "KILL")
    assert processes.find(sleeper, tmp_path) is None


def test_a_process_that_took_over_the_pid_is_left_alone(tmp_path: Path) -> None:
    """A pid is used again one day; its start time tells the two apart."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        recorded = {"pid": stranger.pid, "at": psutil.Process(stranger.pid).create_time() - 60}
        (tmp_path / "pids").mkdir()
        (tmp_path / "pids" / "enricher.json").write_text(json.dumps(recorded))
        processes.stop([part(tmp_path, "pass")], tmp_path, "KILL")
        assert stranger.poll() is None
        stranger.communicate(b"\n", timeout=10)


def test_a_command_that_does_not_exist_is_a_sentence(tmp_path: Path) -> None:
    probe = Probe("http", "http://127.0.0.1:1/")
    missing = Part("mongod", "mongod", ("/nowhere/x",), {}, str(tmp_path / "log"), probe, probe)
    with pytest.raises(StackProblem, match="can't be started"):
        processes.start(missing, tmp_path)


def test_logs_may_be_kept_when_the_rest_is_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    (folder / "logs").mkdir(parents=True)
    (folder / "stack.json").touch()
    state.forget(folder, keep_logs=True)
    assert [path.name for path in folder.iterdir()] == ["logs"]
    state.forget(folder)
    assert not folder.exists()
