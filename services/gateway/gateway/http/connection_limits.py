"""What a connection may take before anybody is known at its other end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What connections may take before a request has said who sends it."""

    connections: int = 500
    """Above it the one that has waited longest for a request is closed."""
    head_seconds: float = 10.0
    """From the first byte of a request, or the connection, to the end of its headers."""
    write_seconds: float = 30.0
    """How long a client may leave an answer unread."""
    linger_seconds: float = 3.0
    """How long what a client goes on sending is passed over, so that it gets to read its answer."""
