"""What the health port of a process that is silent answers, where it can be asked from here."""

from __future__ import annotations

import socket
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from typing import Final

from order_operations.diagnosis.facts import Health, Instance

SECONDS: Final = 1.0


def health_of(instance: Instance) -> Health:
    """Ask /livez; within SECONDS for the connection, and as long for the answer."""
    host, _, port = instance.health.rpartition(":")
    where = _reachable_as(host.strip("[]"), instance.host)
    if where is None:
        return Health.UNKNOWN
    connection = HTTPConnection(where, int(port), timeout=SECONDS)
    try:
        connection.connect()
    except ConnectionRefusedError:
        return Health.REFUSED
    except OSError:
        return Health.UNKNOWN
    try:
        connection.request("GET", "/livez")
        connection.getresponse()
    except TimeoutError:
        return Health.HANGS
    except (OSError, HTTPException):
        return Health.UNKNOWN
    finally:
        connection.close()
    return Health.ANSWERS


def _reachable_as(host: str, machine: str) -> str | None:
    """Return the address of a process on *machine* from here; None where there is none."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not (address.is_loopback or address.is_unspecified):
        return host
    return "127.0.0.1" if machine == socket.gethostname() else None
