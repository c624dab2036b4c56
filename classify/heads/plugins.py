"""Heads of other packages: found by the entry point group `classify.heads`, and checked when they are first loaded."""

import inspect
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from classify.errors import HeadError
from classify.heads.contract import HeadBuilder
from classify.heads.testing import check_loaded

_GROUP = "classify.heads"


def list_plugins() -> list[str]:
    """Return the names of the heads of installed packages, in alphabetical order."""
    return sorted(point.name for point in entry_points(group=_GROUP))


def load_plugin(arch: str) -> HeadBuilder | None:
    """Return the builder of another package's head, or None if no package has one of that name.

    Raises:
        HeadError: the head cannot be loaded, or breaks the contract.
    """
    for point in entry_points(group=_GROUP, name=arch):
        return _load(point)
    return None


@cache
def _load(point: EntryPoint) -> HeadBuilder:
    """Load a head and check it, once in a process."""
    try:
        build: HeadBuilder = point.load()
        inspect.signature(build)
        check_loaded(build)
    except HeadError as error:
        raise HeadError(
            f"{_name(point)} breaks the contract of heads: {error} Its authors can run all checks with "
            "classify.heads.testing. Until a new version is out, choose another head."
        ) from error
    except Exception as error:  # another package's code may raise anything
        raise HeadError(
            f"{_name(point)} does not work: {type(error).__name__}: {error}. Update or uninstall the package, or "
            "choose another head."
        ) from error
    return build


def _name(point: EntryPoint) -> str:
    package = "" if point.dist is None else f" of the package {point.dist.name} {point.dist.version}"
    return f"The head {point.name!r}{package} ({point.value})"
