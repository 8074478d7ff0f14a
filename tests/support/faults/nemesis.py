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
from support.load.probe import Probe


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that was injected; `after` is when, in seconds since the first."""

    name: str
    after: float
    recovered: float
    """Seconds from its end, or from its beginning where it is outlived, until all was well."""


@dataclass
class Nemesis:
    scene: FaultCluster
    probe: Probe
    every: float
    """Seconds between the beginnings of two faults, at least."""
    struck: list[Struck] = field(default_factory=list)
    spared: dict[str, str] = field(default_factory=dict)
    """Faults that could not be injected, and why."""
    began: float = field(default_factory=time.monotonic)

    def strike(self, matrix: Sequence[Fault], seconds: float) -> None:
        """Break things for *seconds*; what is broken then is still seen to recover."""
        self.spared = {fault.name: "no time was left" for fault in matrix}
        for fault in drawn(matrix, self.scene.rng):
            began = time.monotonic()
            if began - self.began > seconds:
                return
            self._inject(fault)
            self.scene.mend(fault.name)
            self.scene.hold(self.every - (time.monotonic() - began))

    def _inject(self, fault: Fault) -> None:
        print(f"{self._now():6.0f} s  {fault.name}", end="", flush=True)
        try:
            recovered = self._recovered(fault)
        except NotInjected as reason:
            self.spared[fault.name] = str(reason)
            print(f"  not injected: {reason}")
            return
        self.spared.pop(fault.name, None)
        self.struck.append(Struck(fault.name, self._now(), recovered))
        print(f"  recovered after {recovered:.1f} s", flush=True)

    def _recovered(self, fault: Fault) -> float:
        with self.scene.journal.fault(fault.name), fault.on(self.scene):
            if fault.outlived:
                return self._settled(fault, time.monotonic())
            self.scene.hold(fault.seconds)
            mending = time.monotonic()
        return self._settled(fault, mending)

    def _settled(self, fault: Fault, since: float) -> float:
        self.probe.settle(fault.recovery)
        return time.monotonic() - since

    def _now(self) -> float:
        return time.monotonic() - self.began


def drawn(matrix: Sequence[Fault], rng: Random) -> Iterator[Fault]:
    """Give all faults in an order of chance, and then all that may repeat in another."""
    left = list(matrix)
    while left:
        yield from rng.sample(left, len(left))
        left = [fault for fault in left if not fault.once]
