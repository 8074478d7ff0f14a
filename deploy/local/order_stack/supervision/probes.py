"""Probes the parts of a stack, and waits until they are ready."""

# ruff: noqa: PLC0415  a driver takes long to import, and most commands need neither

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from order_operations.connections.profile import read_profile
from order_runtime.kafka.address import KafkaAddress
from order_stack.cluster.parts import Part, Probe
from order_stack.problems import PortTaken, StackProblem
from order_stack.supervision.processes import find

HTTP_SECONDS = 2.0
INTERVAL = 0.1
PORT_TAKEN = ("address already in use", "java.net.bindexception")
LOG_TAIL = 64 * 1024


def answers(probe: Probe) -> bool:
    """Tell whether the part is live or ready, as *probe* asks; any error means no."""
    match probe.kind:
        case "http":
            return _http_ok(probe.address)
        case "kafka":
            from order_stack.cluster.kafka_probe import is_in_cluster

            return is_in_cluster(_broker(probe))
        case "mongo":
            from order_stack.cluster.mongo_probe import is_member

            return is_member(probe.address)


def _broker(probe: Probe) -> KafkaAddress:
    if probe.profile is None:
        return KafkaAddress(probe.address)
    return replace(read_profile(Path(probe.profile)).kafka_address(), servers=probe.address)


def _http_ok(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=HTTP_SECONDS)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_for(
    parts: Sequence[Part], folder: Path, probe_of: Callable[[Part], Probe], seconds: float
) -> None:
    """Return when every probe succeeds; raises StackProblem where a part dies or takes too long."""
    deadline = time.monotonic() + seconds
    waiting = list(parts)
    while waiting:
        waiting = [part for part in waiting if not _answers_itself(part, folder, probe_of(part))]
        if waiting and time.monotonic() > deadline:
            raise StackProblem(
                f"{waiting[0].name} was not ready after {seconds:.0f} s; "
                f"its log says why: {waiting[0].log}"
            )
        if waiting:
            time.sleep(INTERVAL)


def _answers_itself(part: Part, folder: Path, probe: Probe) -> bool:
    """Probe, then look for the process: a dead part's port may be answered by another process."""
    answered = answers(probe)
    if find(part, folder) is None:
        raise stopped_while_starting(part)
    return answered


def stopped_while_starting(part: Part) -> StackProblem:
    tail = Path(part.log).read_bytes()[-LOG_TAIL:].decode(errors="replace").lower()
    if any(sign in tail for sign in PORT_TAKEN):
        return PortTaken(
            f"{part.name} can't start because its port is in use; stop what listens there "
            f"and try again. Its log: {part.log}"
        )
    return StackProblem(f"{part.name} stopped while starting; its log says why: {part.log}")
