"""Where a video lies: a path on this machine, or the address of a far store or of a web page.

An address may hold secrets: `user:password@`, or the query string of a signed link. They are needed to fetch the video
and for nothing else, so whatever is stored, logged or shown passes through `without_secrets` first.
"""

import os
import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from embed.errors import SourceError

# Two letters at least: C:// is a drive. file:// is this machine.
_ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_NAMING_PARAMETERS = frozenset({"v", "id", "vid", "video", "video_id", "file", "name"})
"""Query parameters that say which video is meant, as YouTube's `v` does. All others may be secret."""

_EXTRAS = {"s3": "s3", "s3a": "s3"}
_IN_AN_ADDRESS = "%/:?#[]@!$&'()*+,;=~"  # RFC 3986, section 2: what is not to be quoted, `%` because it is quoting


def is_remote(location: str) -> bool:
    """Tell an address from a path.

    >>> is_remote("s3://bucket/a.mp4"), is_remote("videos/a.mp4"), is_remote("file:///videos/a.mp4")
    (True, False, False)
    """
    return bool(_ADDRESS.match(location))


def is_web(location: str) -> bool:
    """Tell whether a web server answers at an address."""
    return location.lower().startswith(("http://", "https://"))


def protocol_of(address: str) -> str:
    """Return what an address begins with, e.g. `s3`."""
    return address.partition("://")[0].lower()


def without_secrets(location: str) -> str:
    """Return an address that may be stored: no user and password, and of a query only what names the video.

    >>> without_secrets("https://me:secret@host/a.mp4?X-Amz-Signature=12")
    'https://host/a.mp4'
    >>> without_secrets("https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=3")
    'https://www.youtube.com/watch?v=dQw4w9WgXcQ'
    """
    if not is_remote(location):
        return location
    scheme, _, rest = location.partition("://")
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2]
    if not is_web(location):  # the key of an object may hold any sign, `?` and `#` too
        return f"{scheme}://{host}{slash}{path}"
    parts = urlsplit(f"{scheme}://{host}{slash}{path}")
    named = [(key, value) for key, value in parse_qsl(parts.query) if key.lower() in _NAMING_PARAMETERS]
    return parts._replace(query=urlencode(named), fragment="").geturl()


def is_same_place(one: str, other: str) -> bool:
    """Tell whether two locations without secrets are one, by whatever links or protocols they are reached.

    >>> is_same_place("http://host/a.mp4", "https://host/a.mp4"), is_same_place("https://host/a.mp4", "/videos/a.mp4")
    (True, False)
    """
    if one == other:
        return True
    if is_remote(one) or is_remote(other):
        return one.partition("://")[2] == other.partition("://")[2]
    return os.path.realpath(one) == os.path.realpath(other)


def id_of_address(address: str) -> str:
    """Return the name of a video by its address: everything behind the host, or behind the bucket.

    >>> id_of_address("https://host/videos/a%20cat.mp4?token=12"), id_of_address("https://host/watch?v=12")
    ('videos/a cat.mp4', 'watch?v=12')
    """
    host, _, path = without_secrets(address).partition("://")[2].partition("/")
    path = path.strip("/")
    return (unquote(path) if is_web(address) else path) or host


def suffix_of(location: str) -> str:
    """Return the ending of a path or address in lower case, with its dot; empty where it has none."""
    path = urlsplit(location).path if is_web(location) else location
    return PurePosixPath(path).suffix.lower()


def open_filesystem(address: str, *, stall_s: float = 30.0) -> Any:
    """Return the fsspec filesystem of an address, for it and all others of its host or bucket.

    Args:
        address: of a far store or web server, secrets included. Credentials come from the environment.
        stall_s: how long a server may stay silent.

    Raises:
        SourceError: nothing is installed, or known, that speaks the address's protocol.
    """
    import fsspec

    require_protocol(address)
    # A filesystem of its own: fsspec's cache keeps one for every thread that ever asked, connections and all.
    filesystem, _ = fsspec.url_to_fs(address, skip_instance_cache=True, **_options_of(address, stall_s))
    if hasattr(filesystem, "set_session"):  # once and here: several threads at once would make one each
        fsspec.asyn.sync(filesystem.loop, filesystem.set_session)
    return filesystem


def path_on(filesystem: Any, address: str) -> str:
    """Return an address as its filesystem wants it."""
    return str(filesystem._strip_protocol(quote(address, safe=_IN_AN_ADDRESS) if is_web(address) else address))


def require_protocol(address: str) -> None:
    """Check that an address can be asked for.

    Raises:
        SourceError: nothing is installed, or known, that speaks its protocol.
    """
    import fsspec

    protocol = protocol_of(address)
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        needed = f"pip install 'framehead[{extra}]'" if extra else f"pip install 'fsspec[{protocol}]'"
        raise SourceError(f"{protocol}:// needs a package that is not installed. Install it: {needed}") from error
    except ValueError as error:
        raise SourceError(
            f"{without_secrets(address)} begins with {protocol}://, which is no known protocol. "
            "Name a path, or an address that begins with https:// or s3://."
        ) from error


def _options_of(address: str, stall_s: float) -> dict[str, Any]:
    """Return how a filesystem is told of time limits, in its own words."""
    if is_web(address):
        import aiohttp

        # total: fsspec would give up on any file that takes longer than five minutes.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=stall_s, sock_read=stall_s)
        # encoded: a signature holds for the address as it was written. identity: sizes are those of the file.
        return {
            "client_kwargs": {"timeout": timeout, "trust_env": True},
            "encoded": True,
            "headers": {"Accept-Encoding": "identity"},
        }
    if protocol_of(address) in _EXTRAS:
        return {"config_kwargs": {"connect_timeout": stall_s, "read_timeout": stall_s, "retries": {"max_attempts": 1}}}
    return {}
