"""
Runs an unchanged service that kills itself with SIGKILL at one step, once.

    python -m faults.planted.crash_at_step MODULE STEP MARKER

The steps are calls of the client libraries, so services need no hooks for them. MARKER is a file
that is created at the crash: when it exists, the service runs normally.

* `find jobs`, `update orders`, `insert jobs`, …: MongoDB has answered that command;
* `before commitTransaction`: that command is about to be sent;
* `taken`: the first records were consumed;
* `produce 3`: the third record is about to be produced, and those before it are acknowledged;
* `flush`: all records are acknowledged;
* `before commit`: offsets are about to be committed; `commit`: commit() has returned.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

import confluent_kafka
from pymongo import monitoring


class CrashPoint:
    """Kills the process at its step, unless the marker shows that it already has."""

    def __init__(self, step: str, marker: Path) -> None:
        self._step, self._marker = step, marker

    def at(self, step: str) -> None:
        if self.is_due(step):
            self._marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def is_due(self, step: str) -> bool:
        return step == self._step and not self._marker.exists()


class MongoCrashListener(monitoring.CommandListener):
    """Reports MongoDB commands as steps, named with their collection if they have one."""

    def __init__(self, death: CrashPoint) -> None:
        self._death = death
        self._names: dict[int, str] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        target = event.command.get(event.command_name)
        name = f"{event.command_name} {target}" if isinstance(target, str) else event.command_name
        self._names[event.request_id] = name
        self._death.at(f"before {name}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self._death.at(self._names.pop(event.request_id, ""))

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self._names.pop(event.request_id, None)


def crashing_clients(death: CrashPoint) -> tuple[type[Any], type[Any]]:
    """Return subclasses of confluent-kafka's producer and consumer that report their steps."""

    class Producer(confluent_kafka.Producer):  # type: ignore[misc]
        handed = 0

        def produce(self, *args: Any, **kwargs: Any) -> None:
            self.handed += 1
            if death.is_due(step := f"produce {self.handed}"):
                super().flush(10)
                death.at(step)
            super().produce(*args, **kwargs)

        def flush(self, *args: Any) -> int:
            left: int = super().flush(*args)
            if self.handed and not left:
                death.at("flush")
            return left

    class Consumer(confluent_kafka.Consumer):  # type: ignore[misc]
        def consume(self, *args: Any, **kwargs: Any) -> list[confluent_kafka.Message]:
            found: list[confluent_kafka.Message] = super().consume(*args, **kwargs)
            if found:
                death.at("taken")
            return found

        def commit(self, *args: Any, **kwargs: Any) -> Any:
            death.at("before commit")
            answer = super().commit(*args, **kwargs)
            death.at("commit")
            return answer

    return Producer, Consumer


def main(module: str, step: str, marker: str) -> None:
    death = CrashPoint(step, Path(marker))
    monitoring.register(MongoCrashListener(death))
    confluent_kafka.Producer, confluent_kafka.Consumer = crashing_clients(death)
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
