"""
Breaks one thing after the other, in an order that chance picks by a seed, and sees all recover.

The whole matrix is gone through before a fault comes again.
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
    """A fault that was injected; `after` is when, in seconds since the first."""

    name: str
    started_after: float
    recovery_seconds: float
    """Seconds from its end, or from its beginning where it is outlived, until all was well."""


@dataclass
class Nemesis:
    cluster: FaultCluster
    probe: RecoveryProbe
    interval: float
    """Seconds between the beginnings of two faults, at least."""
    results: list[FaultResult] = field(default_factory=list)
    not_injected: dict[str, str] = field(default_factory=dict)
    """Faults that could not be injected, and why."""
    started: float = field(default_factory=time.monotonic)

    def run(self, matrix: Sequence[Fault], seconds: float) -> None:
        """Break things for *seconds*; what is broken then is still seen to recover."""
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
            recovery_seconds = self._recovered(fault)
        except NotInjected as reason:
            self.not_injected[fault.name] = str(reason)
            print(f"  not injected: {reason}")
            return
        self.not_injected.pop(fault.name, None)
        self.results.append(FaultResult(fault.name, self._now(), recovery_seconds))
        print(f"  recovered after {recovery_seconds:.1f} s", flush=True)

    def _recovered(self, fault: Fault) -> float:
        with self.cluster.journal.fault(fault.name), fault.inject(self.cluster):
            if fault.recovers_during:
                return self._settled(fault, time.monotonic())
            self.cluster.wait(fault.seconds)
            mending = time.monotonic()
        return self._settled(fault, mending)

    def _settled(self, fault: Fault, since: float) -> float:
        self.probe.settle(fault.recovery)
        return time.monotonic() - since

    def _now(self) -> float:
        return time.monotonic() - self.started


def fault_order(matrix: Sequence[Fault], rng: Random) -> Iterator[Fault]:
    """Give all faults in an order of chance, and then all that may repeat in another."""
    left = list(matrix)
    while left:
        yield from rng.sample(left, len(left))
        left = [fault for fault in left if not fault.once]
