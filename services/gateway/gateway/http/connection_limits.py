"""What a connection may take before anybody is known at its other end."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Networks = tuple[IPv4Network | IPv6Network, ...]


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
    trusted_proxies: Networks = ()
    """Whose connections are many clients' each: they are never closed to make room."""

    def trust(self, address: str) -> bool:
        """Return whether a proxy of ours has *address*."""
        if not self.trusted_proxies:
            return False
        client = ip_address(address.partition("%")[0])
        if isinstance(client, IPv6Address):  # of an IPv4 client, where both come to one socket
            client = client.ipv4_mapped or client
        return any(client in network for network in self.trusted_proxies)


def networks(text: str) -> Networks:
    """Return comma-separated addresses and networks; raises ValueError for what is neither."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
