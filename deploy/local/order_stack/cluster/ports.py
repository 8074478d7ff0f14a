"""Free ports, chosen at random so that two stacks that start at once seldom collide."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Collection, Sequence

from order_stack.problems import PortTaken, StackProblem

ADDRESS = "127.0.0.1"
# Below the ephemeral range, where the kernel would hand the port to an outgoing connection.
RANGE = range(20_000, 32_000)
TRIES = 2_000


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def choose(
    names: Sequence[str], rng: random.Random, free: Callable[[int], bool] = is_free
) -> dict[str, int]:
    """Return a port for each name that was free when it was tried; raises StackProblem."""
    chosen: dict[str, int] = {}
    for port in (rng.choice(RANGE) for _ in range(TRIES)):
        if len(chosen) == len(names):
            break
        if port not in chosen.values() and free(port):
            chosen[names[len(chosen)]] = port
    if len(chosen) < len(names):
        raise StackProblem(
            f"No free ports were found on 127.0.0.1 between {RANGE.start} and {RANGE.stop}; "
            "stop something that listens there."
        )
    return chosen


def free_urls(names: Sequence[str], taken: Collection[int]) -> dict[str, str]:
    """Return an address for each name, of a port that is free and none of those *taken*."""
    rng = random.SystemRandom()
    chosen = choose(names, rng, lambda it: it not in taken and is_free(it))
    return {name: f"http://{ADDRESS}:{port}" for name, port in chosen.items()}


def check(ports: Collection[int], free: Callable[[int], bool] = is_free) -> None:
    """Raise PortTaken where another process uses one of these ports."""
    taken = sorted(port for port in ports if not free(port))
    if taken:
        numbers = ", ".join(map(str, taken))
        raise PortTaken(
            f"Port {numbers} on 127.0.0.1, which this data directory is bound to, is in use; "
            "stop what listens there, or use another --data directory."
        )
