"""What is served, to whom, and how much a visitor may ask for."""

import ipaddress
import math
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from classify.corrections import state_path
from classify.data import LabelConfig
from classify.errors import ClassifyError

SHORTEST_TOKEN = 12
"""Characters. One that is guessed at 1,000 a second lasts for ages from about here, if it is random."""


@dataclass(frozen=True)
class UploadLimits:
    """What visitors may upload. Each file is decoded in a process that is killed at its limits.

    Args:
        upload_bytes: size of one file.
        duration_s: length of one video.
        files: files of one request.
        waiting: files that may be received, wait or be worked on at once; others are answered with 503.
        timeout_s: wall time of decoding one file.
        memory_bytes: resident memory of a process that decodes.
        workers: files decoded at once; None is one per core, at most 4.
        idle_s: seconds for which an upload may stand still.
    """

    upload_bytes: int = 512 << 20
    duration_s: float = 3600.0
    files: int = 16
    waiting: int = 32
    timeout_s: float = 120.0
    memory_bytes: int = 2 << 30
    workers: int | None = None
    idle_s: float = 30.0

    def __post_init__(self) -> None:
        for name in ("upload_bytes", "files", "waiting", "memory_bytes"):
            if getattr(self, name) < 1:
                raise ClassifyError(f"{name} is {getattr(self, name)}. Use a whole number of at least 1.")
        for name in ("duration_s", "timeout_s", "idle_s"):
            if not 0 < getattr(self, name) < math.inf:
                raise ClassifyError(f"{name} is {getattr(self, name)}. Use a number of seconds above 0.")


@dataclass(frozen=True)
class ServeConfig:
    """What `serve_videos` serves.

    Args:
        head: folder of a trained head.
        store: the store of the collection; its vectors are of the head's kind.
        host: address to listen on. Any but this machine's own (127.0.0.1, ::1, localhost) needs a token.
        port: port to listen on; 0 takes a free one.
        token: what visitors must know; None asks for none.
        host_names: further names under which visitors reach the server, as behind a proxy.
        labels: the labels that people gave before; None takes folders whose names are labels of the head.
        device: of encoder and head, as in `PredictConfig`.
        pretrained: checkpoint file of the head's encoder, if it has moved.
        limits: what visitors may upload.
        watch_s: seconds between two looks whether head or store have changed.

    Raises:
        ClassifyError: another address is named without a token, or the token is short.
    """

    head: Path
    store: Path
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    host_names: tuple[str, ...] = ()
    labels: LabelConfig | None = None
    device: str = "auto"
    pretrained: str | None = None
    limits: UploadLimits = field(default_factory=UploadLimits)
    watch_s: float = 2.0

    def __post_init__(self) -> None:
        if self.token is None and not is_own_machine(self.host):
            raise ClassifyError(
                f"--host {self.host} lets other machines in, so the server needs a secret that they must know. Give "
                f"one with --token (or in the variable FRAMEHEAD_TOKEN), {SHORTEST_TOKEN} characters or more; or leave "
                "--host out."
            )
        if self.token is not None and (len(self.token) < SHORTEST_TOKEN or not self.token.isprintable()):
            raise ClassifyError(
                f"--token has {len(self.token)} characters, or one that cannot be typed. Use {SHORTEST_TOKEN} or more, "
                "such as those that this prints: python -c 'import secrets; print(secrets.token_urlsafe())'."
            )

    @property
    def state_file(self) -> Path:
        """The SQLite file beside the store."""
        return state_path(self.store)


def check_web_packages() -> None:
    """Raise ClassifyError if a package that the server needs is not installed."""
    if not all(map(find_spec, ("fastapi", "python_multipart", "uvicorn"))):
        raise ClassifyError(
            "The page needs fastapi, uvicorn and python-multipart. Install them: pip install '.[web]' in framehead's "
            "folder"
        )


def is_own_machine(host: str) -> bool:
    """Return True if a name or address is this machine's own, as no other machine reaches it.

    >>> [is_own_machine(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "192.168.1.7", "example.org")]
    [True, True, True, False, False, False]
    """
    if host.lower().rstrip(".") == "localhost":
        return True
    address = address_of(host)
    return address is not None and address.is_loopback


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a text spells; None if it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
