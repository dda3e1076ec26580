"""Sets of IP networks, for whom something is believed; and who counts as one client.

Floor: core (pure).
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias

__all__ = ["UNIX", "Address", "Networks", "one_client", "plain"]

Address: TypeAlias = IPv4Address | IPv6Address

UNIX = "unix"
"""Stands among networks for whoever connects to a UNIX socket."""

_NAT64 = bytes.fromhex("0064ff9b 00000000 00000000")
"""Before the addresses of IPv4 clients behind a translator, 64:ff9b::/96 (RFC 6052 section 2.1)."""


class Networks:
    """The addresses in any of ``networks``: CIDR notation, single addresses, or `UNIX`.

    Raises ``ValueError``, which says what is wrong, for anything else; a network whose address has
    bits beyond its prefix is a mistake too.
    """

    def __init__(self, networks: Iterable[str]):
        names = list(networks)
        self._unix = UNIX in names
        self._networks = [ip_network(name) for name in names if name != UNIX]

    def __contains__(self, host: str | None) -> bool:
        """Return whether ``host`` is one of them; ``None`` stands for a UNIX socket."""
        if host is None:
            return self._unix
        try:
            address = plain(ip_address(host))
        except ValueError:
            return False
        return self.hold(address)

    def hold(self, address: Address) -> bool:
        """Return whether ``address``, a `plain` one, is one of them."""
        return any(address in network for network in self._networks)

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)


def plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 socket shows as ``::ffff:192.0.2.1``."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.scope_id is not None:
            return IPv6Address(int(address))
    return address


def one_client(host: str) -> bytes | None:
    """Return what the addresses of the client at ``host`` share; ``None`` if it is no IP address.

    That is the address for IPv4, and for IPv6 the first 64 bits: the others are the host's own to
    choose (RFC 4291 section 2.5.1), and it may take a new one for every connection.
    """
    try:
        address = plain(ip_address(host))
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address.packed
    packed = address.packed
    if address.is_link_local:  # one network for everybody on the wire
        return packed
    return packed[12:] if packed.startswith(_NAT64) else packed[:8]
