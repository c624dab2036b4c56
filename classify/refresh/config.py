"""The TOML file of `refresh-head`: what it says, checked before any work."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, final

from classify.errors import ClassifyError
from embed.machine import read_regular

_PATHS = ("store", "heads", "labels")
TEMPLATE = """\
# refresh-head takes this file. Paths count from its folder.
sources = ["videos/"]            # folders, lists, links, s3://bucket/prefix/
store = "embeddings.h5"
heads = "heads/"                 # the versions of the head, and which of them is in use
# labels = "labels.csv"          # default: the folders' names
# group_by = "group"             # column of labels.csv whose groups stay in one part

# model = "ViT-B-32"             # for a new store; an old one keeps its encoder and frames
# frames_count = 100
# prune = false                  # drop from the store what is no longer in the sources

arch = "auto"                    # or linear, motion, transformer, ...
budget_s = 60                    # seconds for auto to choose
# epochs = 10                    # of a fixed arch
# mixup = 0.0
test_size = 0.2                  # held out for good by the first run
validation_size = 0.1
min_gain = 0.0                   # the interval of the gain must lie above it; -0.02 accepts a loss up to 2 points
"""


@final
@dataclass(frozen=True)
class RefreshConfig:
    """What `refresh_head` does.

    Args:
        sources: what `embed_videos` takes.
        store: the store, which is made or continued.
        heads: folder of the versions.
        labels: label file; None takes the folders' names.
        group_by: its column whose groups stay in one part.
        model: encoder of a new store.
        frames_count: frames a video of a new store.
        prune: drop videos that are gone from the sources, as `embed-videos --prune` does.
        arch: head; "auto" chooses one.
        budget_s: seconds for "auto".
        epochs: of a fixed head; None is the default.
        mixup: alpha; 0 trains without.
        test_size: share of the videos that the first run holds out for good.
        validation_size: share of the others that choose thresholds and epochs.
        min_gain: least gain in micro-F1, as for `decide_promotion`.
    """

    sources: tuple[str, ...]
    store: Path
    heads: Path
    labels: Path | None = None
    group_by: str | None = None
    model: str = "ViT-B-32"
    frames_count: int = 100
    prune: bool = False
    arch: str = "auto"
    budget_s: float = 60.0
    epochs: int | None = None
    mixup: float = 0.0
    test_size: float = 0.2
    validation_size: float = 0.1
    min_gain: float = 0.0

    @classmethod
    def read(cls, path: str | Path) -> "RefreshConfig":
        """Read a TOML file; its paths count from its folder.

        Raises:
            ClassifyError: it cannot be read, or a setting is unknown, missing or of another kind.
        """
        file = Path(path)
        try:
            found = tomllib.loads(read_regular(file).decode())
        except FileNotFoundError as error:
            raise ClassifyError(f"{file} does not exist. refresh-head {file} --init writes one.") from error
        except (OSError, ValueError) as error:
            raise ClassifyError(f"{file} cannot be read as TOML: {error}.") from error
        return cls(**_checked(found, file))


def _checked(found: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Return the settings of a file, paths made whole."""
    known = {field.name: field for field in fields(RefreshConfig)}
    for name in found:
        if name not in known:
            near = get_close_matches(name, known, 1)
            advice = f"Perhaps you mean {near[0]}." if near else f"There are {', '.join(known)}."
            raise ClassifyError(f"{file} has the setting {name!r}, which does not exist. {advice}")
    missing = [name for name in ("sources", "store", "heads") if not found.get(name)]
    if missing:
        raise ClassifyError(f"{file} lacks {' and '.join(missing)}. refresh-head FILE --init shows a whole file.")
    values = {name: _of_kind(name, value, file) for name, value in found.items()}
    folder = file.absolute().parent
    values |= {name: folder / values[name] for name in _PATHS if name in values}
    values["sources"] = tuple(source if "://" in source else str(folder / source) for source in values["sources"])
    return values


def _of_kind(name: str, value: Any, file: Path) -> Any:
    """Return a value if it is of the kind of its setting."""
    if name == "sources":
        value = [value] if isinstance(value, str) else value
        is_right = isinstance(value, list) and all(isinstance(one, str) and one for one in value)
        kind = "a list of texts"
    elif name in ("prune",):
        is_right, kind = isinstance(value, bool), "true or false"
    elif name in ("frames_count", "epochs"):
        is_right, kind = type(value) is int and value >= 1, "a whole number of at least 1"
    elif name in ("budget_s", "mixup", "test_size", "validation_size", "min_gain"):
        is_right, kind = type(value) in (int, float), "a number"
        if name in ("test_size", "validation_size") and is_right:
            is_right, kind = 0 < value < 1, "a share between 0 and 1"
        if name in ("budget_s", "mixup") and is_right:
            is_right, kind = value >= 0, "a number of at least 0"
        if name == "min_gain" and is_right:
            is_right, kind = -1 <= value <= 1, "a difference in micro-F1, from -1 to 1"
    else:
        is_right, kind = isinstance(value, str) and bool(value), "a text"
    if not is_right:
        raise ClassifyError(f"{file}: {name} is {value!r}, but must be {kind}.")
    return value
