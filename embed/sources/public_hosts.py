"""Connections to public hosts only, for lists of links from strangers (`--public-only`).

A link may lead into the network of the machine that fetches it: to a router, a database, or the service of a cloud that
hands out credentials. The name of its host says nothing, since a name may resolve to a private address, to a public one
when it is checked and to a private one when it is used, and since a server may redirect. So each connection is checked
when it is made, with the address that it is made to.
"""

import errno
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from embed.errors import EmbedError

# On top of the table of the Python that runs, which may be older than its networks, or miss some of them. Source: IANA,
# IPv4 and IPv6 Special-Purpose Address Registries; RFC 3879 (fec0::/10), 7526 (192.88.99.0/24), 9637 (3fff::/20).
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24"),
            *("64:ff9b:1::/48", "100::/64", "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32"),
            *("2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
        ),
    )
)
_UNICAST = ip_network("2000::/3")  # all that IANA has given out of IPv6
_TRANSLATED = ip_network("64:ff9b::/96")  # IPv4 behind a translator (RFC 6052)
# IPv4-mapped, translated, Teredo, 6to4: such an address is where its IPv4 address is.
_CARRIERS = (ip_network("::ffff:0:0/96"), _TRANSLATED, ip_network("2001::/32"), ip_network("2002::/16"))
_ISATAP = 0x5EFE  # in front of the IPv4 address, apart from two bits (RFC 5214, section 6.1)
_THREAD = threading.local()
_INSTALLING = threading.Lock()
_INSTALLED: list[bool] = []  # a hook stays for as long as Python runs: one is enough


class PrivateHost(EmbedError):
    """A host is not public."""


def is_public(host: str) -> bool:
    """Return True if a numeric address is one of the public internet, also where it is written inside another one.

    >>> is_public("93.184.216.34"), is_public("10.0.0.1"), is_public("::ffff:127.0.0.1"), is_public("169.254.169.254")
    (True, False, False, False)
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:  # a name, which could resolve to anything
        return False
    return _is_public(address)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return False
    inner = _written_inside(address) if isinstance(address, IPv6Address) else ()
    if not all(map(_is_public, inner)):
        return False
    if isinstance(address, IPv6Address) and inner and any(address in network for network in _CARRIERS):
        return True
    is_unicast = isinstance(address, IPv4Address) or address in _UNICAST
    return is_unicast and address.is_global and not address.is_multicast and not address.is_reserved


def _written_inside(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses that an IPv6 address stands for, or that its packets go through."""
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _TRANSLATED or (int(address) >> 32) & 0xFCFFFFFF == _ISATAP:
        inner.append(last)
    return tuple(found for found in inner if found is not None)


def require_public(host: str) -> None:
    """Check the numeric address of a connection that is about to be made.

    Raises:
        PrivateHost: it is not public.
    """
    if not is_public(host):
        raise PrivateHost(f"it leads to {host}, which is no public address. Leave out --public-only to allow that")


def require_direct(address: str) -> None:
    """Check that no proxy is set for a web address: a proxy resolves the host itself, to what it likes.

    Raises:
        EmbedError: a proxy is set.
    """
    parts = urlsplit(address)
    proxies = getproxies()
    if (parts.scheme in proxies or "all" in proxies) and not proxy_bypass(parts.hostname or ""):
        raise EmbedError(
            "--public-only checks every connection, and a proxy (HTTP_PROXY, HTTPS_PROXY or ALL_PROXY) would make "
            "them unseen. Unset it, or leave out --public-only"
        )


async def public_client(**settings: Any) -> Any:
    """Return an aiohttp session that connects to public hosts only, whatever a name resolves to and a server says."""
    import aiohttp

    # One address after another: an error of a check ends the attempt instead of counting as one address that fails.
    connector = aiohttp.TCPConnector(socket_factory=_public_socket, happy_eyeballs_delay=None)
    return aiohttp.ClientSession(connector=connector, **{**settings, "trust_env": False})


def _public_socket(found: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
    family, kind, protocol, _, place = found
    require_public(str(place[0]))
    return socket.socket(family, kind, protocol)


@contextmanager
def public_connections() -> Iterator[None]:
    """Let this thread connect to public hosts only, for libraries that make their own connections.

    Raises:
        PrivateHost: at the end, if a connection was refused and something failed.
    """
    with _INSTALLING:
        if not _INSTALLED:
            sys.addaudithook(_check_connection)
            _INSTALLED.append(True)
    _THREAD.is_checked, _THREAD.refused = True, None
    try:
        yield
    except Exception:
        if _THREAD.refused:
            raise _THREAD.refused from None
        raise
    finally:
        _THREAD.is_checked = False


def _check_connection(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect" or not getattr(_THREAD, "is_checked", False):
        return
    connection, place = arguments
    if connection.family in (socket.AF_INET, socket.AF_INET6):
        try:
            require_public(str(place[0]))
        except PrivateHost as error:
            _THREAD.refused = error
            # As the system refuses a connection, so that libraries close what they have opened.
            raise PermissionError(errno.EACCES, str(error)) from error
