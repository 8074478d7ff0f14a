"""
Injects one fault after the other, in random order by seed, and waits for recovery after each.

No fault is repeated before all others had their turn.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from support.faults.cluster import FaultCluster
from support.faults.fault import Fault, NotInjected
from support.load.recovery_probe import RecoveryProbe


@dataclass(frozen=True, slots=True)
class FaultResult:
    """A fault that was injected, `started_after` seconds into the run."""

    name: str
    started_after: float
    recovery_seconds: float
    """Seconds until recovery, from the fault's end, or its start if it `recovers_during`."""


@dataclass
class Nemesis:
    cluster: FaultCluster
    probe: RecoveryProbe
    interval: float
    """Minimum seconds between the starts of two faults."""
    results: list[FaultResult] = field(default_factory=list)
    not_injected: dict[str, str] = field(default_factory=dict)
    """Faults that weren't injected, with the reason."""
    started: float = field(default_factory=time.monotonic)

    def run(self, matrix: Sequence[Fault], seconds: float) -> None:
        """Inject faults for *seconds*; wait for recovery from the last one too."""
        self.not_injected = {fault.name: "no time was left" for fault in matrix}
        for fault in fault_order(matrix, self.cluster.rng):
            started = time.monotonic()
            if started - self.started > seconds:
                return
            self._inject(fault)
            self.cluster.wait_until_restored(fault.name)
            self.cluster.wait(self.interval - (time.monotonic() - started))

    def _inject(self, fault: Fault) -> None:
        print(f"{self._now():6.0f} s  {fault.name}", end="", flush=True)
        try:
            recovery_seconds = self._recovery_seconds(fault)
        except NotInjected as reason:
            self.not_injected[fault.name] = str(reason)
            print(f"  not injected: {reason}")
            return
        self.not_injected.pop(fault.name, None)
        self.results.append(FaultResult(fault.name, self._now(), recovery_seconds))
        print(f"  recovered after {recovery_seconds:.1f} s", flush=True)

    def _recovery_seconds(self, fault: Fault) -> float:
        with self.cluster.journal.fault(fault.name), fault.inject(self.cluster):
            if fault.recovers_during:
                return self._seconds_until_settled(fault, time.monotonic())
            self.cluster.wait(fault.seconds)
            ended = time.monotonic()
        return self._seconds_until_settled(fault, ended)

    def _seconds_until_settled(self, fault: Fault, since: float) -> float:
        self.probe.settle(fault.recovery)
        return time.monotonic() - since

    def _now(self) -> float:
        return time.monotonic() - self.started


def fault_order(matrix: Sequence[Fault], rng: Random) -> Iterator[Fault]:
    """Yield all faults in random order, then those that may repeat in another order, and so on."""
    left = list(matrix)
    while left:
        yield from rng.sample(left, len(left))
        left = [fault for fault in left if not fault.once]
