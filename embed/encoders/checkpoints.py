"""Files of weights -> tensors by name: downloaded once, read without running what else they contain."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn

from embed.encoders.hub import why_unreachable
from embed.errors import WeightsUnavailable
from embed.machine import counted

_WRAPPINGS = ("state_dict", "model_state_dict", "model_state", "model")
_PREFIXES = ("module.", "_orig_mod.", "model.")  # of DataParallel, torch.compile and Lightning
_MOST_NAMES = 3


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a state dict that torch or safetensors saved, also one inside a training's checkpoint.

    Returns:
        Name -> tensor on the CPU. Floating-point tensors are float32.

    Raises:
        WeightsUnavailable: the file cannot be read, or contains something else. The message is the end of a sentence.
    """
    try:
        found = _read_safetensors(path) if _is_safetensors(path) else _read_pickle(path)
    except UnpicklingError:
        # `from None`: torch's text advises to load the file in a way that runs any code in it.
        raise WeightsUnavailable(
            "it contains something other than weights, which is not loaded because it could run code"
        ) from None
    except Exception as error:  # zip files, pickles and safetensors each have their own errors
        raise WeightsUnavailable(first_line(error)) from error
    tensors = _unwrapped(found)
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def put_tensors(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a network that is on the device "meta" its weights.

    Raises:
        WeightsUnavailable: names or shapes differ. The message is the end of a sentence.
    """
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in tensors]
    extra = [name for name in tensors if name not in wanted]
    other = [
        f"{name} {_shape(tensors[name])}, not {_shape(tensor)}"
        for name, tensor in wanted.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    differences = [
        f"{counted(len(names), 'tensor')} {what}: {some_of(names)}"
        for what, names in (("missing", missing), ("too many", extra), ("of another shape", other))
        if names
    ]
    if differences:
        raise WeightsUnavailable("; ".join(differences))
    network.load_state_dict(dict(tensors), assign=True)


def not_a_checkpoint(path: str | Path, model: str, what: object) -> str:
    """Return the message for a file that is not a checkpoint of a model; `what` says why."""
    return (
        f"{path} is not a checkpoint of {model}: {what}. Use the --model that it belongs to. If that is {model}, save "
        "only its weights where it was trained: torch.save(model.state_dict(), FILE)."
    )


def cached_file(url: str) -> Path:
    """Return where torch keeps, or would keep, a download."""
    return Path(torch.hub.get_dir(), "checkpoints", Path(urlsplit(url).path).name)


def download(url: str) -> Path:
    """Download a file of weights unless it is in torch's cache, and check the hash that its name ends with.

    Raises:
        WeightsUnavailable: it cannot be downloaded. The message says where to put a file that was downloaded elsewhere.
    """
    path = cached_file(url)
    if path.is_file():
        return path
    why = why_unreachable(url)
    if why is None:
        why = _download_failure(url, path)
    if why is not None:
        raise WeightsUnavailable(
            f"{why}. Download {url} on another machine and put it into {path.parent}, or name it with --pretrained "
            "FILE."
        )
    return path


def _download_failure(url: str, path: Path) -> str | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        hash_prefix = path.stem.rpartition("-")[2]
        torch.hub.download_url_to_file(url, str(path), hash_prefix, progress=sys.stderr.isatty())
    except (OSError, RuntimeError) as error:
        return f"the download fails ({first_line(error)})"
    return None


def _is_safetensors(path: Path) -> bool:
    """Return True if a file begins with the length of a JSON header and a brace, as safetensors do."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def _read_safetensors(path: Path) -> object:
    from safetensors.torch import load_file

    return load_file(path)


def _read_pickle(path: Path) -> object:
    return torch.load(path, map_location="cpu", weights_only=True)


def _unwrapped(found: object) -> dict[str, Tensor]:
    for key in _WRAPPINGS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not found:
        raise WeightsUnavailable(f"it contains {type(found).__name__}, not tensors by name")
    others = [str(name) for name, tensor in found.items() if not (isinstance(name, str) and isinstance(tensor, Tensor))]
    if others:
        raise WeightsUnavailable(f"it contains more than tensors by name: {some_of(others)}")
    while prefix := next((prefix for prefix in _PREFIXES if all(name.startswith(prefix) for name in found)), ""):
        found = {name.removeprefix(prefix): tensor for name, tensor in found.items()}
    return dict(found)


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a number"


def some_of(names: Iterable[str]) -> str:
    """Return the first names, and how many more there are.

    >>> some_of("abcde")
    'a, b, c and 2 more'
    """
    names = list(names)
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def first_line(error: Exception) -> str:
    """Return an error's name and the first line of what it says."""
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
