"""Which internet addresses audio may be fetched from, enforced at the moment of connecting."""

import errno
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import AddrInfoType

# Not all private in Python's tables, yet nobody's web server: protocol assignments with Oracle's metadata service
# (RFC 6890), 6to4 relays (RFC 7526), Azure's metadata service.
NOT_SERVERS = (ip_network("192.0.0.0/24"), ip_network("192.88.99.0/24"), ip_network("168.63.129.16/32"))
# Global unicast is 2000::/3 (RFC 4291); outside lie IPv4-mapped, NAT64, unique-local, link-local and multicast. Inside,
# Teredo and 6to4 carry an IPv4 address of the sender's choice.
GLOBAL_UNICAST = ip_network("2000::/3")
TUNNELS = (ip_network("2001::/32"), ip_network("2002::/16"))


def is_public(address: str) -> bool:
    """Tell whether a numeric address, IPv4 or IPv6 with or without a zone, belongs to the public internet."""
    ip = ip_address(address.partition("%")[0])
    return _is_public_v6(ip) if isinstance(ip, IPv6Address) else _is_public_v4(ip)


def _is_public_v4(ip: IPv4Address) -> bool:
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in NOT_SERVERS)


def _is_public_v6(ip: IPv6Address) -> bool:
    return ip in GLOBAL_UNICAST and ip.is_global and not any(ip in network for network in TUNNELS)


class PublicSockets:
    """Makes aiohttp's sockets, and none towards an address that is not public.

    It is given the very address that the socket will connect to, after name resolution and for every attempt, so
    neither a second answer of the name server nor an odd spelling of an address gets past it.
    """

    def __init__(self) -> None:
        self.refused = False

    def __call__(self, target: AddrInfoType) -> socket.socket:
        """Return an unconnected socket, or raise PermissionError and remember that in `refused`."""
        family, kind, protocol, _, address = target
        if not is_public(str(address[0])):
            self.refused = True
            raise PermissionError(errno.EACCES, "not a public address")
        made = socket.socket(family, kind, protocol)
        made.settimeout(0.0)
        return made
