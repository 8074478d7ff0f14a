"""The state of stacks on disk: one private folder for each name."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from order_stack.cluster.parts import Stack
from order_stack.problems import StackProblem

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}")
_STACK = TypeAdapter(Stack)


def root(environ: Mapping[str, str], home: Path) -> Path:
    """Return the folder of all stacks: ORDERS_HOME, else the user's state directory."""
    if chosen := environ.get("ORDERS_HOME"):
        return Path(chosen).absolute()
    state = environ.get("XDG_STATE_HOME") or home / ".local" / "state"
    return Path(state) / "ordermill"


def folder_of(name: str) -> Path:
    if not NAME.fullmatch(name):
        raise StackProblem(
            f"A stack's name is made of a-z, 0-9, dot, dash and underscore, not {name!r}."
        )
    return root(os.environ, Path.home()) / name


def write_privately(path: Path, content: bytes) -> None:
    """Replace the file in one step, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)


def save(stack: Stack, folder: Path) -> None:
    write_privately(folder / "stack.json", _STACK.dump_json(stack, indent=2))


def load(folder: Path) -> Stack | None:
    try:
        return _STACK.validate_json((folder / "stack.json").read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise StackProblem(
            f"{folder / 'stack.json'} is not readable; stop its processes and remove {folder}."
        ) from error


def known(name: str) -> tuple[Stack, Path]:
    """Return the stack of that name and its folder; raises StackProblem where there is none."""
    folder = folder_of(name)
    stack = load(folder)
    if stack is None:
        raise StackProblem(f"No stack {name!r} is up; `orders up --name {name}` starts it.")
    return stack, folder


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the lock of a stack; raises StackProblem where another command starts or stops it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackProblem(
                f"Stack {folder.name!r} is being started or stopped by another command; "
                "wait for that one."
            ) from error
        yield


def forget(folder: Path, *, keep_logs: bool = False) -> None:
    """Remove the folder; with *keep_logs* the logs stay, so that a failure can be explained."""
    if not (keep_logs and (folder / "logs").is_dir()):
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.name == "logs":
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
