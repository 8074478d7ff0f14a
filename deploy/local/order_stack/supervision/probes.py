"""Ask parts whether they are there, and wait for them, bounded."""

# ruff: noqa: PLC0415  the drivers are imported when they are asked for: they take their time

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from order_stack.cluster.parts import Part, Probe
from order_stack.problems import PortTaken, StackProblem
from order_stack.supervision.processes import find

PATIENCE = 2.0  # seconds one question may take
INTERVAL = 0.1
PORT_TAKEN = ("address already in use", "java.net.bindexception")
LOG_TAIL = 64 * 1024


def answers(probe: Probe) -> bool:
    """Tell whether the part answers as it should; whatever goes wrong means no."""
    match probe.kind:
        case "http":
            return _http_ok(probe.address)
        case "kafka":
            from order_operations.kafka_client import counts_itself

            return counts_itself(probe.address)
        case "mongo":
            from order_operations.mongo_client import is_member

            return is_member(probe.address)


def _http_ok(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
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
    """Wait until every part answers; a part that dies, or takes too long, is a problem."""
    deadline = time.monotonic() + seconds
    waiting = list(parts)
    while waiting:
        waiting = [part for part in waiting if not _there(part, folder, probe_of(part))]
        if waiting and time.monotonic() > deadline:
            raise StackProblem(
                f"{waiting[0].name} was not ready after {seconds:.0f} s; "
                f"its log says why: {waiting[0].log}"
            )
        if waiting:
            time.sleep(INTERVAL)


def _there(part: Part, folder: Path, probe: Probe) -> bool:
    """Alive is asked last: an answer counts only if it can be this process's own."""
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
