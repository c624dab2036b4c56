"""Where a video is: a path on this machine, or the address of a remote file, bucket or web page.

An address may hold secrets: `user:password@`, or the query string of a signed link. They are needed to fetch the video
and for nothing else, so every address that is stored, logged or shown passes through `without_secrets` first.
"""

import os
import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from embed.errors import SourceError

# At least two letters, since C:// is a drive. file:// means this machine.
_ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_NAMING_PARAMETERS = frozenset({"v", "id", "vid", "video", "video_id", "file", "name"})
"""Query parameters that identify the video, such as YouTube's `v`. All others may be secret."""

_EXTRAS = {"s3": "s3", "s3a": "s3"}
_IN_AN_ADDRESS = "%/:?#[]@!$&'()*+,;=~"  # RFC 3986, section 2: not quoted; `%` is there because it already quotes


def is_remote(location: str) -> bool:
    """Return True if a location is an address, and False if it is a path of this machine.

    >>> is_remote("s3://bucket/a.mp4"), is_remote("videos/a.mp4"), is_remote("file:///videos/a.mp4")
    (True, False, False)
    """
    return bool(_ADDRESS.match(location))


def is_web(location: str) -> bool:
    """Return True if a location is a web address (http or https)."""
    return location.lower().startswith(("http://", "https://"))


def protocol_of(address: str) -> str:
    """Return the protocol that an address begins with, such as `s3`."""
    return address.partition("://")[0].lower()


def without_secrets(location: str) -> str:
    """Return an address that may be stored: without user and password, and with only the query that names the video.

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
    if not is_web(location):  # an object's key may hold any character, including `?` and `#`
        return f"{scheme}://{host}{slash}{path}"
    parts = urlsplit(f"{scheme}://{host}{slash}{path}")
    named = [(key, value) for key, value in parse_qsl(parts.query) if key.lower() in _NAMING_PARAMETERS]
    return parts._replace(query=urlencode(named), fragment="").geturl()


def is_same_place(one: str, other: str) -> bool:
    """Return True if two locations without secrets are the same place, whatever links or protocols lead to it.

    >>> is_same_place("http://host/a.mp4", "https://host/a.mp4"), is_same_place("https://host/a.mp4", "/videos/a.mp4")
    (True, False)
    """
    if one == other:
        return True
    if is_remote(one) or is_remote(other):
        return one.partition("://")[2] == other.partition("://")[2]
    return os.path.realpath(one) == os.path.realpath(other)


def id_of_address(address: str) -> str:
    """Return a video's id from its address: everything after the host or the bucket.

    >>> id_of_address("https://host/videos/a%20cat.mp4?token=12"), id_of_address("https://host/watch?v=12")
    ('videos/a cat.mp4', 'watch?v=12')
    """
    host, _, path = without_secrets(address).partition("://")[2].partition("/")
    path = path.strip("/")
    return (unquote(path) if is_web(address) else path) or host


def suffix_of(location: str) -> str:
    """Return the suffix of a path or address in lower case, with its dot; empty if there is none."""
    path = urlsplit(location).path if is_web(location) else location
    return PurePosixPath(path).suffix.lower()


def open_filesystem(address: str, *, stall_s: float = 30.0) -> Any:
    """Return the fsspec filesystem of an address. It serves all addresses of the same host or bucket.

    Args:
        address: of a remote store or web server, secrets included. Credentials come from the environment.
        stall_s: how long a server may send nothing.

    Raises:
        SourceError: the address's protocol is unknown, or its package is not installed.
    """
    import fsspec

    require_protocol(address)
    # Not from fsspec's cache, which keeps a filesystem and its connections for every thread that ever asked for one.
    filesystem, _ = fsspec.url_to_fs(address, skip_instance_cache=True, **_options_of(address, stall_s))
    if hasattr(filesystem, "set_session"):  # here and once: several threads at the same time would make one each
        fsspec.asyn.sync(filesystem.loop, filesystem.set_session)
    return filesystem


def path_on(filesystem: Any, address: str) -> str:
    """Return an address as a path of its filesystem."""
    return str(filesystem._strip_protocol(quote(address, safe=_IN_AN_ADDRESS) if is_web(address) else address))


def require_protocol(address: str) -> None:
    """Check that an address's protocol can be used.

    Raises:
        SourceError: the protocol is unknown, or its package is not installed.
    """
    import fsspec

    protocol = protocol_of(address)
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        needed = f"pip install '.[{extra}]' in framehead's folder" if extra else f"pip install 'fsspec[{protocol}]'"
        raise SourceError(f"{protocol}:// needs a package that is not installed. Install it: {needed}") from error
    except ValueError as error:
        raise SourceError(
            f"{without_secrets(address)} begins with {protocol}://, which is not a known protocol. "
            "Use a path, or an address that begins with https:// or s3://."
        ) from error


def _options_of(address: str, stall_s: float) -> dict[str, Any]:
    """Return the options that set a filesystem's time limits; each protocol's library has its own."""
    if is_web(address):
        import aiohttp

        # total=None: by default, fsspec gives up on any file that takes longer than five minutes.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=stall_s, sock_read=stall_s)
        # encoded: a signature is valid only for the address as written. identity: sizes are those of the file itself.
        return {
            "client_kwargs": {"timeout": timeout, "trust_env": True},
            "encoded": True,
            "headers": {"Accept-Encoding": "identity"},
        }
    if protocol_of(address) in _EXTRAS:
        return {"config_kwargs": {"connect_timeout": stall_s, "read_timeout": stall_s, "retries": {"max_attempts": 1}}}
    return {}
