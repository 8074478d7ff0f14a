"""A service as a process: settings, logs, signals, health, and the status it ends with."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Generic, NoReturn, TypeVar

from order_runtime.auth.bearer_token import METRICS_TOKEN, BearerToken
from order_runtime.observability.metrics import BUILD_INFO
from order_runtime.observability.trace_pipeline import tracing
from order_runtime.observability.tracing import Tracing
from order_runtime.process import health, logs
from order_runtime.process.errors import UNRECOVERABLE_STATUS, UnrecoverableError, causes
from order_runtime.process.log_events import CRASHED, RIGHT_REFUSED, STARTED, STOPPED
from order_runtime.process.memory import give_back_large_blocks
from order_runtime.process.refused_rights import refused_right
from order_runtime.process.release import release
from order_runtime.process.secret_files import secret_path
from order_runtime.process.settings import ServiceSettings, load
from order_runtime.process.signals import StopRequested, stop_event

S = TypeVar("S", bound=ServiceSettings)

CRASH_STATUS: Final = 70
"""Exit status after an error that nobody expected: EX_SOFTWARE of sysexits.h."""


@dataclass(frozen=True)
class Process(Generic[S]):
    """What every service is given: its settings, its probes, and when it is to stop."""

    settings: S
    stop: threading.Event
    """Set by SIGTERM and SIGINT; `async_stop_event` makes an asyncio event of it."""
    probes: health.Probes = field(default_factory=health.Probes)
    tracing: Tracing | None = None
    """None where traces are off."""


def run_service(name: str, settings: type[S], run: Callable[[Process[S]], None]) -> NoReturn:
    """
    Run a service until it ends, and leave the process with its exit status.

    The status is 0 after SIGTERM or SIGINT, BAD_SETTINGS_STATUS for bad settings,
    UNRECOVERABLE_STATUS where the service refuses to go on, and CRASH_STATUS after any other
    error. Health and metrics are answered from the start, before *run* has connected to anything.
    Only the text of an UnrecoverableError is logged: another one's may quote a document.
    """
    give_back_large_blocks()
    process = Process(load(settings), stop_event())
    given = process.settings
    logs.configure(name, given.instance, given.log_level)
    version = _show_release()
    token = BearerToken(given.metrics_token, secret_path(METRICS_TOKEN))
    try:
        with (
            health.serving(given.health_host, given.health_port, process.probes, token.admits),
            tracing(given, name, version) as traces,
        ):
            run(replace(process, tracing=traces))
    except StopRequested:
        pass  # while it waited for Kafka or MongoDB
    except Exception as error:  # noqa: BLE001  the process ends; nothing more is committed
        raise SystemExit(_log_end(error)) from None
    logs.log().info(STOPPED)
    raise SystemExit(0)


def _show_release() -> str:
    """Log that the service begins; show which release it is, and return it."""
    version = release()
    BUILD_INFO.labels(version).set(1)
    logs.log().info(STARTED, version=version)
    return version


def collect_garbage_rarely() -> None:
    """
    Let the garbage collector run rarely, for a service that handles batches.

    A batch is thousands of objects that live as long as it does: to collect among them again and
    again, as the default thresholds do, costs a third of the time.
    """
    gc.set_threshold(50_000, 20, 50)


def reason_of_end(error: BaseException) -> str | None:
    """
    Return why a process ends with *error*, in words that quote no document.

    None where it was asked to end.
    """
    if isinstance(error, StopRequested):
        return None
    first = next(causes(error))
    if isinstance(first, UnrecoverableError):
        return str(first)
    if refused := refused_right(first):
        return f"{refused.system} refused: {refused.refused}"
    return f"{CRASHED}: {type(first).__name__}"


def _log_end(error: Exception) -> int:
    """Log each cause of the end, and return the exit status."""
    status = UNRECOVERABLE_STATUS
    for cause in causes(error):
        if isinstance(cause, UnrecoverableError):
            status = max(status, cause.status)
            logs.log().critical(str(cause), **cause.facts)
        elif refused := refused_right(cause):
            logs.log().critical(RIGHT_REFUSED, system=refused.system, refused=refused.refused)
        else:
            status = CRASH_STATUS
            logs.log().critical(CRASHED, **logs.error_fields(cause))
    return status
