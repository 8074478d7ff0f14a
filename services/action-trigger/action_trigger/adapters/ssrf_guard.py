"""Refuses private addresses, so that a webhook can't reach into our own network (SSRF)."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052


def is_private(host: str) -> bool:
    """Return whether *host* is an address that is not public; False for a name."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        address = _embedded(address) or address
    local = isinstance(address, IPv6Address) and address.is_site_local
    return local or not address.is_global or address.is_multicast or address.is_reserved


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that *address* is translated to: NAT64, IPv4-mapped or 6to4."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


class PublicOnlyResolver(AbstractResolver):
    """Resolves a name to its public addresses; the client connects to no other address."""

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
