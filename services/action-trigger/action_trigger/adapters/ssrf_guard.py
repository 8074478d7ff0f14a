"""Refuses private addresses, so that a webhook can't reach into our own network (SSRF)."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohappyeyeballs import AddrInfoType

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


def public_only(found: Iterable[AddrInfoType]) -> list[AddrInfoType]:
    """Return the public ones of a name's addresses; raises OSError where there is none."""
    public = [address for address in found if not is_private(str(address[4][0]))]
    if not public:
        raise OSError("the endpoint's name leads to a private address")
    return public
