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
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from embed.errors import EmbedError

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
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in _TRANSLATED:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


class _Translated:
    """IPv4 addresses behind a translator, 64:ff9b::/96 (RFC 6052)."""

    def __contains__(self, address: IPv6Address) -> bool:
        return int(address) >> 32 == 0x64FF9B << 64


_TRANSLATED = _Translated()


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
