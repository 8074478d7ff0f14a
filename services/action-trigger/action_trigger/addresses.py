"""A webhook must not reach into our own network, unless that is allowed."""

from __future__ import annotations

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver


def is_private(host: str) -> bool:
    """Return whether *host* is an address that is not public; a name is no address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    return not address.is_global or address.is_multicast


class PublicOnly(AbstractResolver):
    """Resolves a name to its public addresses; what is checked is what is connected to."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = [result for result in found if not is_private(result["host"])]
        if not public:
            raise OSError("the endpoint's name leads to a private address")
        return public

    async def close(self) -> None:
        await self._resolver.close()
