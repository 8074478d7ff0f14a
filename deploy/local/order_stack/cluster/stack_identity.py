"""The identity that a data directory keeps: its ports, cluster id, keys and secrets."""

from __future__ import annotations

import base64
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from order_runtime.auth.api_keys import SCOPES, KeyFile
from order_stack.cluster import kafka_brokers, ports
from order_stack.cluster.state import write_privately
from order_stack.cluster.topology import ONE_OF_EACH, Topology
from order_stack.problems import StackProblem


@dataclass(frozen=True, slots=True)
class StackIdentity:
    """
    Written into the data directory once, since its data depend on it.

    The brokers' quorum and the replica set store their own addresses, and a job id is verified
    with the secret it was issued under.
    """

    ports: dict[str, int]
    cluster: str
    apikey: str
    job_secret: str
    webhook_secret: str
    erasure_secret: str
    topology: Topology = ONE_OF_EACH


_IDENTITY = TypeAdapter(StackIdentity)


def keys_file(data: Path) -> Path:
    return data / "keys.json"


def remembered(
    data: Path, topology: Topology, free: Callable[[int], bool] = ports.is_free
) -> StackIdentity | None:
    """Return the identity of a data directory, None for a new one; its ports must be free."""
    file = data / "identity.json"
    try:
        identity = _IDENTITY.validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise StackProblem(f"{file} is damaged; use another --data directory.") from error
    if identity.topology != topology:
        raise StackProblem(
            f"{data} holds the data of {identity.topology}; pass these numbers, or use another "
            "--data directory."
        )
    ports.check(identity.ports.values(), free)
    return identity


def fresh(data: Path, topology: Topology) -> StackIdentity:
    """Make an identity with free ports and new secrets, and write it."""
    identity = StackIdentity(
        ports=ports.choose(topology.ports, random.SystemRandom()),
        cluster=kafka_brokers.new_cluster_id(),
        apikey=KeyFile(keys_file(data)).new("stack", SCOPES, None),
        job_secret=secrets.token_hex(32),
        webhook_secret="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        erasure_secret=secrets.token_hex(32),
        topology=topology,
    )
    write_privately(data / "identity.json", _IDENTITY.dump_json(identity, indent=2))
    return identity
