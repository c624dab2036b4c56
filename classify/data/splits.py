"""Splits: which videos train, validate and test a head. Seeded, stratified by label, with groups kept whole."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classify.data.copies import content_hashes, group_copies
from classify.data.kept_splits import extend_split
from classify.data.label_sources import folder_part, has_part_folders
from classify.data.labels import Labels, LabelTable, label_inputs, read_labels
from classify.data.near_duplicates import group_near_duplicates
from classify.data.sharing import learn_first, learn_in_turn, refuse_too_few, share_videos
from classify.data.split_files import (
    PARTS,
    Split,
    SplitSummary,
    load_split,
    refuse_split_file,
    summarise_split,
    write_split,
)
from classify.data.split_labels import describe_labels, labels_of_split
from classify.errors import SplitError
from embed.machine import counted
from embed.search import find_near_duplicates
from embed.store import EmbeddingStore

_FOLDERS_IGNORED = (
    "All videos lie in folders such as train/ and test/, which this split does not follow. --by-folder takes its parts "
    "from them."
)
_NO_COPIES = " If they are not copies, raise --similarity."


@dataclass(frozen=True)
class SplitConfig:
    """How videos are split.

    Args:
        test_size: share of the videos in the test part, in (0, 1).
        validation_size: share of the videos in the validation part, in [0, 1); 0 leaves it empty.
        group_by: column of the label file whose groups stay whole, or None.
        seed: chooses between equally good splits.
        by_folder: take the part of a video from the folders train, val (or validation) and test in its id. Without a
            test folder, val is the test part. If there is no val, or it is the test part, `validation_size` is drawn
            from train.
        near_duplicates: videos with at least this cosine similarity count as copies, which stay in one part; None does
            not look for copies.
        keep: an earlier split file. Its videos keep their parts, and only the others are placed, so that a video that
            tested a head before never trains one. A moved file is recognised by its content.
    """

    test_size: float = 0.1
    validation_size: float = 0.1
    group_by: str | None = None
    seed: int = 0
    by_folder: bool = False
    near_duplicates: float | None = None
    keep: str | Path | None = None

    def __post_init__(self) -> None:
        if self.by_folder and self.keep is not None:
            raise SplitError(
                "Folders name the parts of all videos, so there is none to keep. Use --by-folder or --keep."
            )
        if not 0 < self.test_size < 1 or not 0 <= self.validation_size < 1:
            raise SplitError(
                f"Part sizes are {self.test_size} (test) and {self.validation_size} (validation). "
                "Use shares of the videos, such as 0.1; only validation can be 0."
            )
        if self.test_size + self.validation_size >= 1:
            raise SplitError(
                f"{self.test_size} for test and {self.validation_size} for validation leave nothing to train on. "
                "Use shares that sum to less than 1."
            )
        if self.near_duplicates is not None and not 0 < self.near_duplicates <= 1:
            raise SplitError(f"The similarity is {self.near_duplicates}. Use a cosine above 0 and up to 1.")
        if self.seed < 0:
            raise SplitError(f"The seed is {self.seed}. Use a whole number of 0 or more.")


def split_videos(
    store: str | Path,
    output: str | Path,
    *,
    labels: Labels = None,
    config: SplitConfig = SplitConfig(),
    overwrite: bool = False,
) -> SplitSummary:
    """Split the labelled videos of a store and write the split file.

    Args:
        store: the store's path.
        output: the split file to write; an older one is replaced, also the one of `config.keep`.
        labels: label file, or which labels to take; None takes those of `config.keep`, else the folders' names.
        config: sizes, grouping and seed.
        overwrite: replace also a file that is no split, or was edited by hand, except an input.

    Raises:
        ClassifyError: `output` is an input, holds something else than a split, or cannot be written.
        LabelError: labels cannot be read, or fit no video.
        SplitError: there are too few videos or groups for the parts, or the folders separate a group.
    """
    kept: Split | None = None
    changed: tuple[str, ...] = ()
    if config.keep is not None:
        kept, _ = load_split(config.keep)
        labels, changed = labels_of_split(config.keep, kept, labels)
    inputs = [store, *label_inputs(labels)]
    replaced = refuse_split_file(output, inputs=inputs, overwrite=overwrite, keep=config.keep)
    table, hashes = _read_contents(store, labels, config)
    source = describe_labels(labels, Path(output))
    split, notes = make_split(table, config) if kept is None else _extend(table, hashes, kept, config)
    write_split(Path(output), replace(split, content_hashes=hashes, labels_from=source), table)
    return summarise_split(Path(output), split, table, (*changed, *notes), replaced=replaced)


def split_folds(
    store: str | Path,
    output: str | Path,
    folds: int,
    *,
    labels: Labels = None,
    config: SplitConfig = SplitConfig(),
    overwrite: bool = False,
) -> tuple[SplitSummary, ...]:
    """Write a split file for each fold, so that every video is in one test part.

    Args:
        store: the store's path.
        output: `split.csv` writes split-1.csv, split-2.csv and so on.
        folds: number of folds; each tests an equal share, and validates with `validation_size` of all videos.
        labels: label file, or which labels to take; None takes the folders' names.
        config: grouping, seed and size of validation; its `test_size` is ignored.
        overwrite: replace also files that are no splits, except inputs.

    Raises:
        ClassifyError: a file to write is an input, holds something else than a split, or cannot be written.
        LabelError: labels cannot be read, or fit no video.
        SplitError: there are too few videos or groups for the folds, or `config` splits by folder.
    """
    _refuse_unfoldable(config)
    inputs = [store, *label_inputs(labels)]
    paths = [fold_file(output, number) for number in range(1, folds + 1)]
    replaced = [refuse_split_file(path, inputs=inputs, overwrite=overwrite) for path in paths]
    table, hashes = _read_contents(store, labels, config)
    source = describe_labels(labels, Path(output))
    splits = fold_table(table, folds, config)
    for path, split in zip(paths, splits, strict=True):
        write_split(path, replace(split, content_hashes=hashes, labels_from=source), table)
    found = zip(paths, splits, replaced, strict=True)
    return tuple(summarise_split(path, split, table, replaced=older) for path, split, older in found)


def fold_file(output: str | Path, number: int) -> Path:
    """Return the split file of a fold, counted from 1.

    >>> str(fold_file("a/split.csv", 2))
    'a/split-2.csv'
    """
    path = Path(output)
    if not path.name:
        raise SplitError(f"{str(output)!r} is not the name of a file. Name the file for a split file.")
    return path.with_stem(f"{path.stem}-{number}")


def make_split(table: LabelTable, config: SplitConfig) -> tuple[Split, tuple[str, ...]]:
    """Return the split of labelled videos, by their folders or by shares, and notes on it.

    Raises:
        SplitError: there are too few videos or groups for the parts, or the folders separate a group.
    """
    if config.by_folder:
        return _split_by_folder(table, config)
    split = split_table(table, config)
    ignored = (_FOLDERS_IGNORED,) if has_part_folders(table.ids) else ()
    return split, (*_note_grown(split, table, config), *ignored)


def split_table(table: LabelTable, config: SplitConfig) -> Split:
    """Split labelled videos into train, validation and test.

    Every class has a video in train before the other parts get one, even where train is larger then than was asked for.

    Raises:
        SplitError: there are too few videos or groups for the parts.
    """
    parts = share_videos(table, _part_sizes(table, config), config.seed, coverage=learn_first(table, len(PARTS)))
    return Split(table.ids, tuple(PARTS[part] for part in parts), table.groups)


def _part_sizes(table: LabelTable, config: SplitConfig) -> NDArray[np.int64]:
    """Return the number of videos wanted in train, validation and test, (3,); raise SplitError for too few videos."""
    total = len(table.ids)
    test = max(1, round(config.test_size * total))
    validation = max(1, round(config.validation_size * total)) if config.validation_size else 0
    refuse_too_few(table, 3 if validation else 2)
    if test + validation >= total:
        raise SplitError(
            f"{counted(total, 'video')}: with {test} to test and {validation} to validate, none is left to train on. "
            "Make these parts smaller, or add videos."
        )
    return np.array([total - test - validation, validation, test])


def _note_grown(split: Split, table: LabelTable, config: SplitConfig) -> tuple[str, ...]:
    """Return a note if train is larger than was asked for; not of groups, which fill no part exactly."""
    found, wanted = len(split.indices("train")), int(_part_sizes(table, config)[0])
    if table.groups is not None or found == wanted:
        return ()
    return (f"Train has {counted(found, 'video')} instead of {wanted}, since every label should have one there.",)


def fold_table(table: LabelTable, folds: int, config: SplitConfig) -> tuple[Split, ...]:
    """Return the split of each fold; every video is in one test part.

    A class of several videos (or groups) has one in every train part, unless classes share so few videos that no
    exchange leads there; a class of one video has none where it is tested.

    Args:
        table: the labelled videos, in their groups.
        folds: number of folds.
        config: seed and size of validation.

    Raises:
        SplitError: there are too few videos or groups for the folds, or `config` splits by folder.
    """
    _refuse_unfoldable(config)
    fold_of = fold_videos(table, folds, seed=config.seed)
    splits = []
    for fold in range(folds):
        parts = np.where(fold_of == fold, "test", "train").astype(object)
        _draw_validation(parts, table, config)
        splits.append(Split(table.ids, tuple(parts.tolist()), table.groups))
    return tuple(splits)


def _refuse_unfoldable(config: SplitConfig) -> None:
    if config.by_folder:
        raise SplitError("Folders name one split, not folds. Use --by-folder or --folds.")
    if config.keep is not None:
        raise SplitError("Folds place every video anew, so no part can be kept. Use --keep or --folds.")


def fold_videos(table: LabelTable, folds: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Assign labelled videos to folds of equal size, stratified by label, with groups kept whole.

    A class of several videos (or groups) is in several folds, as far as exchanges lead there.

    Returns:
        (N,) fold of each video, 0 to folds - 1.

    Raises:
        SplitError: there are fewer than two folds, or fewer videos or groups than folds.
    """
    if folds < 2:
        raise SplitError(f"folds is {folds}. Use 2 or more.")
    refuse_too_few(table, folds)
    sizes = np.full(folds, len(table.ids) // folds)
    sizes[: len(table.ids) % folds] += 1
    return share_videos(table, sizes, seed, coverage=learn_in_turn(table, folds))


def read_table(store: str | Path, labels: Labels, config: SplitConfig) -> LabelTable:
    """Return the labels and groups of a store: equal videos in one group, and near duplicates if `config` asks for it.

    Raises:
        LabelError: labels cannot be read, or fit no video.
    """
    with EmbeddingStore(store) as opened:
        return _group(opened, labels, config)


def _read_contents(store: str | Path, labels: Labels, config: SplitConfig) -> tuple[LabelTable, tuple[str, ...]]:
    """Return what `read_table` does, and the content hash of each video's file, (N,)."""
    with EmbeddingStore(store) as opened:
        table = _group(opened, labels, config)
        return table, content_hashes(opened, table.ids)


def _group(store: EmbeddingStore, labels: Labels, config: SplitConfig) -> LabelTable:
    table = group_copies(read_labels(store, labels, group_by=config.group_by), store)
    if config.near_duplicates is None:
        return table
    return group_near_duplicates(table, find_near_duplicates(store, table.ids, similarity=config.near_duplicates))


def _extend(
    table: LabelTable, hashes: tuple[str, ...], kept: Split, config: SplitConfig
) -> tuple[Split, tuple[str, ...]]:
    """Return a kept split with the videos that it lacks placed, and notes on it."""
    shares = (1 - config.test_size - config.validation_size, config.validation_size, config.test_size)
    is_grouped = config.group_by is not None or config.near_duplicates is not None
    name = str(config.keep)
    return extend_split(table, hashes, kept, name=name, shares=shares, seed=config.seed, is_grouped=is_grouped)


def _split_by_folder(table: LabelTable, config: SplitConfig) -> tuple[Split, tuple[str, ...]]:
    """Return the split that the folders in the ids name, and notes on it."""
    found = [folder_part(video_id) for video_id in table.ids]
    if not has_part_folders(table.ids):
        example = table.ids[found.index(None)] if None in found else table.ids[0]
        raise SplitError(
            f"The ids do not name the parts of the videos, e.g. {example!r}. Embed a folder that has train/, val/ and "
            "perhaps test/, with the class folders in them, or split without --by-folder."
        )
    _refuse_torn(table, found, config)
    parts = np.array(found, dtype=object)
    notes: tuple[str, ...] = ()
    if "test" not in found:
        parts[parts == "validation"] = "test"
        notes = ("There is no test folder, so the validation folder is the test part: choose nothing by its figures.",)
    if "validation" not in parts:
        _draw_validation(parts, table, config)
    return Split(table.ids, tuple(parts.tolist()), table.groups), notes


def _refuse_torn(table: LabelTable, found: Sequence[str | None], config: SplitConfig) -> None:
    """Raise SplitError if the folders have a group, or copies, in two parts."""
    first: dict[str, int] = {}
    places = [(first.setdefault(group, row), row) for row, group in enumerate(table.groups or ())]
    torn = [(table.ids[one], table.ids[other]) for one, other in places if found[one] != found[other]]
    if not torn:
        return
    what, remedy = ("groups", "") if config.near_duplicates is None else ("copies or groups", _NO_COPIES)
    more = f" (and {counted(len(torn) - 1, 'more pair')})" if len(torn) > 1 else ""
    raise SplitError(
        f"The folders separate {what}: {torn[0][0]!r} and {torn[0][1]!r} belong together{more}, so the head would be "
        "tested on what it saw in training. Move one of them to the folder of the other, or delete it, and embed the "
        f"folder again with embed-videos --prune.{remedy}"
    )


def _draw_validation(parts: NDArray[np.object_], table: LabelTable, config: SplitConfig) -> None:
    """Move `validation_size` of all videos from train to validation, in place."""
    if not config.validation_size:
        return
    rows = np.flatnonzero(parts == "train")
    rest = table.take(rows)
    count = max(1, round(config.validation_size * len(parts)))
    refuse_too_few(rest, 2)
    if count >= len(rows):
        raise SplitError(
            f"{counted(len(rows), 'video')}: with {count} to validate, none is left to train on. Make the part smaller."
        )
    drawn = share_videos(rest, np.array([len(rows) - count, count]), config.seed, coverage=learn_first(rest, 2))
    parts[rows[drawn == 1]] = "validation"
