"""Ports for servers of tests, that the kernel gives to no outgoing connection meanwhile."""

from __future__ import annotations

import random

from order_stack.cluster.ports import choose


def free_ports(count: int) -> list[int]:
    """Return so many different ports of 127.0.0.1 that are free now."""
    names = [str(number) for number in range(count)]
    return list(choose(names, random.SystemRandom()).values())


def free_port() -> int:
    [port] = free_ports(1)
    return port
