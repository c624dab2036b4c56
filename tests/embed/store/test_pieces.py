"""A piece that the system does not open, or that was closed, is not reported as damaged."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from embed.errors import StoreDamaged, StoreError
from embed.store import EmbeddingStore, is_store
from tests.embed.stores import write_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store that has been opened once, so that all modules needed to open it are imported."""
    path = write_store(tmp_path / "s.h5", ["a"])
    with EmbeddingStore(path):
        pass
    return path


@contextmanager
def without_rights() -> Iterator[None]:
    """Become a user who cannot read the files of others, if root runs the tests, who can read all files."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@contextmanager
def without_descriptors() -> Iterator[None]:
    """Open files until the system refuses to open more."""
    limits, held = resource.getrlimit(resource.RLIMIT_NOFILE), list[int]()
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        with suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in held:
            os.close(descriptor)


@pytest.mark.parametrize("look", [EmbeddingStore, is_store])
def test_a_store_without_read_permission_says_so(path: Path, look: type[EmbeddingStore]) -> None:
    path.chmod(0)
    with without_rights(), pytest.raises(StoreError, match=r"cannot be opened: Permission denied\. Allow") as caught:
        look(path)
    assert not isinstance(caught.value, StoreDamaged)


def test_a_store_beyond_the_limit_of_open_files_says_so(path: Path) -> None:
    with without_descriptors(), pytest.raises(StoreError, match=r"Too many open files\. Allow more .*ulimit") as caught:
        EmbeddingStore(path)
    assert not isinstance(caught.value, StoreDamaged)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    with EmbeddingStore(write_store(tmp_path / "s.h5", ["a", "b"])) as store:
        pass

    for read in (lambda: store.read("a"), lambda: store.read_many(["a"]), lambda: store.read_timestamps(["a"])):
        with pytest.raises(StoreError, match="The store is closed"):
            read()
