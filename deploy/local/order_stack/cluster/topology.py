"""How many processes of each kind a stack has, their names and ports, and whether it is secure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from order_contracts import topics
from order_stack.problems import StackProblem

VOTERS: Final = (1, 3, 5, 7)


@dataclass(frozen=True, slots=True)
class Topology:
    brokers: int = 1
    mongo_members: int = 1
    gateways: int = 1
    writers: int = 1
    enrichers: int = 1
    triggers: int = 1
    partitions: int = topics.DEFAULT_PARTITIONS
    secure: bool = False
    """Whether connections are of TLS, and everybody has a login with no more rights than needed."""

    @property
    def services(self) -> dict[str, int]:
        """Return how many processes each service has, in the order in which they are shown."""
        return {
            topics.GATEWAY: self.gateways,
            topics.WRITER: self.writers,
            topics.ENRICHER: self.enrichers,
            topics.TRIGGER: self.triggers,
        }

    @property
    def ports(self) -> tuple[str, ...]:
        """Return the names of all ports; the one named after a service is its health port."""
        counts = {
            "broker": self.brokers,
            "controller": self.brokers,
            "internal": self.brokers if self.secure else 0,
            "mongod": self.mongo_members,
            "receiver": 1,
            "http": self.gateways,
            **self.services,
        }
        return tuple(name for kind, count in counts.items() for name in numbered(kind, count))

    def __str__(self) -> str:
        return (
            f"--brokers {self.brokers} --mongo-members {self.mongo_members} "
            f"--gateways {self.gateways} --writers {self.writers} "
            f"--enrichers {self.enrichers} --triggers {self.triggers} "
            f"--partitions {self.partitions}{' --secure' if self.secure else ''}"
        )


ONE_OF_EACH: Final = Topology()


def numbered(kind: str, count: int) -> tuple[str, ...]:
    """Return the names of *count* of a kind; the only one needs no number."""
    return (kind,) if count == 1 else tuple(f"{kind}-{n}" for n in range(1, count + 1))


def check(topology: Topology) -> None:
    """Raise StackProblem for a number that makes no sense, with the reason."""
    for option, count in (
        ("--brokers", topology.brokers),
        ("--mongo-members", topology.mongo_members),
    ):
        if count not in VOTERS:
            raise StackProblem(
                f"{option} must be {', '.join(map(str, VOTERS[:-1]))} or {VOTERS[-1]}, not "
                f"{count}: they decide by majority, so that an even number outlives no more "
                "deaths than one fewer would."
            )
    if not 1 <= topology.partitions <= topics.MAX_PARTITIONS:
        raise StackProblem(
            f"--partitions must be 1 to {topics.MAX_PARTITIONS}, not {topology.partitions}."
        )
    for option, count in (
        ("--writers", topology.writers),
        ("--enrichers", topology.enrichers),
        ("--triggers", topology.triggers),
    ):
        if not 1 <= count <= topology.partitions:
            raise StackProblem(
                f"{option} must be 1 to {topology.partitions}, not {count}: each consumer reads "
                f"partitions of its own, and there are {topology.partitions}."
            )
    if topology.gateways < 1:
        raise StackProblem(f"--gateways must be at least 1, not {topology.gateways}.")
