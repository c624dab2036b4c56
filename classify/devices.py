"""The device that trains and predicts, and its random numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from classify.errors import TrainError


def find_device(name: str) -> torch.device:
    """Return the device of a name: "cpu", "cuda", or "auto" for a GPU where there is one.

    Raises:
        TrainError: there is no such device here.
    """
    has_gpu = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if has_gpu else "cpu")
    if name == "cpu" or (name == "cuda" and has_gpu):
        return torch.device(name)
    raise TrainError(f"There is no device {name!r} here. Choose one of: auto, cpu{', cuda' if has_gpu else ''}.")


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global random generators, and put them back afterwards."""
    gpus = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)
        yield
