"""Where a video is: a path on this machine, or the address of a remote file, bucket or web page."""

import logging
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from embed.errors import EmbedError, SourceError
from embed.machine import real_path
from embed.sources.kept_addresses import WEB, has_address, why_unfit, without_secrets
from embed.sources.public_hosts import public_client, require_direct

_THIS_MACHINE = "file:"
_EXTRAS = {"s3": "s3", "s3a": "s3"}
_LIBRARIES = ("adlfs", "aiobotocore", "aiohttp", "asyncio", "botocore", "fsspec", "gcsfs", "s3fs", "urllib3")
_IN_AN_ADDRESS = "%/:?#[]@!$&'()*+,;=~"  # RFC 3986, section 2: not quoted; `%` is there because it already quotes


def is_remote(location: str) -> bool:
    """Return True if a location is an address, and False if it is a path of this machine.

    >>> is_remote("s3://bucket/a.mp4"), is_remote("videos/a.mp4"), is_remote("file:///videos/a.mp4")
    (True, False, False)
    """
    return has_address(location) and not location.lower().startswith(_THIS_MACHINE)


def is_web(location: str) -> bool:
    """Return True if a location is a web address (http or https)."""
    return protocol_of(location) in WEB


def protocol_of(address: str) -> str:
    """Return the protocol that an address begins with, such as `s3`."""
    return address.partition("://")[0].lower()


def is_same_place(one: str, other: str) -> bool:
    """Return True if two locations without secrets are the same place, whatever links or protocols lead to it.

    >>> is_same_place("http://host/a.mp4", "https://host/a.mp4"), is_same_place("https://host/a.mp4", "/videos/a.mp4")
    (True, False)
    """
    if one == other:
        return True
    if is_remote(one) or is_remote(other):
        return one.partition("://")[2] == other.partition("://")[2]
    return real_path(one) == real_path(other)


def id_of_address(address: str) -> str:
    """Return a video's id from its address: everything after the host or the bucket.

    >>> id_of_address("https://host/videos/a%20cat.mp4?token=12"), id_of_address("https://host/watch?v=12")
    ('videos/a cat.mp4', 'watch?~07d971877ff2')
    """
    host, _, path = without_secrets(address).partition("://")[2].partition("/")
    path = path.strip("/")
    # Bytes that are no UTF-8 stay different, as in the names of files.
    return (unquote(path, errors="surrogateescape") if is_web(address) else path) or host


def suffix_of(location: str) -> str:
    """Return the suffix of a path or address in lower case, with its dot; empty if there is none."""
    path = urlsplit(location).path if is_web(location) else location
    return PurePosixPath(path).suffix.lower()


def open_filesystem(address: str, *, stall_s: float = 30.0, public_only: bool = False) -> Any:
    """Return the fsspec filesystem of an address. It serves all addresses of the same host or bucket.

    Args:
        address: of a remote store or web server, secrets included. Credentials come from the environment.
        stall_s: how long a server may send nothing.
        public_only: True refuses connections to hosts that are not public (`embed.sources.public_hosts`).

    Raises:
        SourceError: the address is no source, or its package is not installed.
        EmbedError: its connections cannot be checked, though they should be.
    """
    import fsspec

    require_address(address)
    for library in _LIBRARIES:  # their warnings name addresses; without a handler, Python prints them
        logging.getLogger(library).addHandler(logging.NullHandler())
    # Not by fsspec.url_to_fs, which takes `::` for a chain of addresses.
    kind = fsspec.get_filesystem_class(protocol_of(address))
    # Not from fsspec's cache, which keeps a filesystem and its connections for every thread that ever asked for one.
    options = {**kind._get_kwargs_from_urls(address), **_options_of(address, stall_s)}
    if public_only:
        options |= _public_options(address)
    filesystem = kind(skip_instance_cache=True, **options)
    if hasattr(filesystem, "set_session"):  # here and once: several threads at the same time would make one each
        fsspec.asyn.sync(filesystem.loop, filesystem.set_session)
    return filesystem


def with_small_scheme(address: str) -> str:
    """Return an address whose scheme is in small letters, as libraries want it.

    >>> with_small_scheme("HTTPS://host/A.mp4")
    'https://host/A.mp4'
    """
    scheme, _, rest = address.partition("://")
    return f"{scheme.lower()}://{rest}"


def path_on(filesystem: Any, address: str) -> str:
    """Return an address as a path of its filesystem."""
    address = with_small_scheme(address)
    return str(filesystem._strip_protocol(quote(address, safe=_IN_AN_ADDRESS) if is_web(address) else address))


def require_address(address: str) -> None:
    """Check that an address can be a source.

    Raises:
        SourceError: it can be read in two ways, its protocol is not on the list, or its package is not installed.
    """
    import fsspec

    if unfit := why_unfit(address):
        raise SourceError(f"The address {without_secrets(address)} {unfit}.")
    protocol = protocol_of(address)
    try:
        fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError) as error:
        extra = _EXTRAS.get(protocol)
        needed = f"pip install '.[{extra}]' in framehead's folder" if extra else f"pip install 'fsspec[{protocol}]'"
        raise SourceError(f"{protocol}:// needs a package that is not installed. Install it: {needed}") from error


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


def _public_options(address: str) -> dict[str, Any]:
    """Return the options that let a filesystem reach public hosts only. A bucket's host is the user's own choice."""
    if protocol_of(address) == "ftp":
        raise EmbedError("--public-only does not check ftp://. Use https://, or leave out --public-only")
    if not is_web(address):
        return {}
    require_direct(address)
    return {"get_client": public_client}
