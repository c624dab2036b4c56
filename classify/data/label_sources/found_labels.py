"""Where labels come from: a label file, or the folders that videos lie in."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from classify.data.label_sources.label_files import Columns, LabelFile, LabelRow, compose, read_label_file
from classify.data.label_sources.label_notes import note_joined, note_videos
from classify.data.label_sources.label_text import SEPARATOR, is_utf_8, require_utf_8
from classify.data.label_sources.matching import Matches, VideoListing, count_exact, match_videos
from classify.data.label_sources.part_folders import below_part_folder, folders_in, has_part_folders
from classify.errors import LabelError

INNERMOST, OUTERMOST = "innermost", "outermost"

_SHOWN = 3  # contradictions that an error shows


@dataclass(frozen=True)
class FoundLabels:
    """Labels of videos in the store: id -> labels and id -> group; and the rare labels that were dropped."""

    labels: Mapping[str, frozenset[str]]
    groups: Mapping[str, str]
    notes: tuple[str, ...]
    dropped: frozenset[str] = frozenset()


def folder_labels(videos: VideoListing, level: str | int | None) -> FoundLabels:
    """Take the label of each video from a folder of its id.

    Args:
        videos: those to label.
        level: "innermost", "outermost", or 1 for the outermost folder, 2 for the next. None is the innermost, and says
            so where others could be meant. Where all ids lie in train/, val/ or test/, these and what is above them do
            not count.

    Raises:
        LabelError: no id has such a folder.
    """
    _refuse_none(videos)
    folders = _class_folders(videos.ids)
    labels = {video_id: frozenset({name}) for video_id, own in folders.items() if (name := _at_level(own, level))}
    if not labels:
        number = f", its number {level} from outside" if isinstance(level, int) else ""
        raise LabelError(
            f"No id in {videos.path} lies in a folder that could be its label{number}, e.g. "
            f"{next(iter(folders), '')!r}. Name a label file with --labels."
        )
    what = "without a label (their ids name no folder)"
    if isinstance(level, int):
        what = f"without a label (their ids have no folder {level}, counted from the outermost)"
    notes = _note_depths(folders) if level is None else ()
    return FoundLabels(labels, {}, (*note_videos(what, folders, labels), *notes))


def _refuse_none(videos: VideoListing) -> None:
    if len(videos.ids):
        return
    count = len(videos.failures)
    if not count:
        raise LabelError(f"{videos.path} holds no video. Embed some into it with embed-videos.")
    raise LabelError(
        f"{videos.path} holds no video, since {'the only one' if count == 1 else f'all {count}'} failed, e.g. "
        f"{videos.failures[0].id!r}: {videos.failures[0].reason}. inspect-embeddings lists the reasons."
    )


def file_labels(videos: VideoListing, path: Path, columns: Columns, *, adds_up: bool) -> FoundLabels:
    """Take the labels of each video from a label file.

    Args:
        videos: those to label.
        path: the file.
        columns: the columns that were asked for.
        adds_up: True if the labels of a video are those of all its rows; else these must agree.

    Raises:
        LabelError: the file cannot be read, contradicts itself about a video, or names no video.
    """
    file = read_label_file(path, columns, count_known=lambda names: count_exact(names, videos, path))
    matches = match_videos((row.key for row in file.rows), videos, path)
    found = _merge(file, matches.ids, adds_up=adds_up)
    failed = {failure.id for failure in videos.failures}
    odd = [matches.ids[row.key] for row in file.rows if not is_utf_8(row.key)]
    if odd and not any(video_id in videos or video_id in failed for video_id in odd):
        require_utf_8(path)  # no names of files, so the file has another encoding
    known = {video_id: row for video_id, row in found.items() if video_id in videos and row.labels}
    if not known:
        raise LabelError(
            f"{path} labels no video of {videos.path}: it names e.g. {file.rows[0].key!r}, but the ids are e.g. "
            f"{videos.ids[0] if videos.ids else '(none)'!r}. Write these ids into a column `id`, or paths relative to "
            "the label file into a column `path`."
        )
    unlabelled = [video_id for video_id, row in found.items() if not row.labels]
    absent = [video_id for video_id, row in found.items() if row.labels and video_id not in videos]
    notes = (
        *file.notes,
        *matches.notes,
        *note_joined({name for row in known.values() for name in row.labels}),
        *note_videos(f"with several rows in {path.name}, whose labels add up", _added_up(file, matches), ()),
        *note_videos("labelled but not embedded (inspect-embeddings lists the reasons)", absent, set(absent) - failed),
        *note_videos("labelled but not in the store", absent, failed),
        *note_videos(f"without a label in {path.name}", [*unlabelled, *videos.ids], known),
    )
    groups = {video_id: row.group for video_id, row in known.items()}
    return FoundLabels({video_id: row.labels for video_id, row in known.items()}, groups, notes)


def _class_folders(ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the folders of each id that may name its class, the outermost first."""
    inside = [video_id for video_id in ids if len(PurePosixPath(video_id).parts) > 1]
    folders_of = below_part_folder if has_part_folders(inside) else folders_in
    return {
        video_id: tuple(filter(None, (compose(folder).strip() for folder in folders_of(video_id)))) for video_id in ids
    }


def _at_level(folders: Sequence[str], level: str | int | None) -> str | None:
    if isinstance(level, int):
        return folders[level - 1] if level <= len(folders) else None
    return (folders[0] if level == OUTERMOST else folders[-1]) if folders else None


def _note_depths(folders: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return a note on labels of innermost folders, where another folder could be meant."""
    examples = {len(own): video_id for video_id, own in reversed(list(folders.items())) if own}
    if max(examples) == 1:
        return ()
    deepest = examples[max(examples)]
    if len(examples) == 1:
        said = f"Labels are the innermost folders, such as {folders[deepest][-1]!r} of {deepest}."
    else:
        highest = examples[min(examples)]
        said = (
            f"Labels are the innermost folders, which lie at different depths: {folders[highest][-1]!r} of {highest}, "
            f"{folders[deepest][-1]!r} of {deepest}."
        )
    return (
        f"{said} --label-folder outermost takes {folders[deepest][0]!r} there; --label-folder 2 the second folder.",
    )


def _merge(file: LabelFile, ids: Mapping[str, str], *, adds_up: bool) -> dict[str, LabelRow]:
    """Return one row for each video: the labels of its rows add up, or must agree."""
    found: dict[str, LabelRow] = {}
    against: list[str] = []
    for row in file.rows:
        video_id = ids[row.key]
        first = found.setdefault(video_id, row)
        if first.group != row.group:
            raise LabelError(
                f"Lines {first.line} and {row.line} of {file.path} put {video_id!r} into the groups {first.group!r} "
                f"and {row.group!r}. Write one group for each video."
            )
        says_nothing = file.label_column is not None and not (first.labels and row.labels)
        if not adds_up and not says_nothing and first.labels != row.labels:
            against.append(f"{video_id!r} is {_show(first)}, but {_show(row)}")
        labels = first.labels | row.labels if adds_up else first.labels or row.labels
        found[video_id] = replace(first, labels=labels)
    if against:
        raise LabelError(_contradiction(file, against))
    return found


def _show(row: LabelRow) -> str:
    return f"{SEPARATOR.join(sorted(row.labels)) or 'blank'!r} in line {row.line}"


def _contradiction(file: LabelFile, against: Sequence[str]) -> str:
    more = f"; and {len(against) - _SHOWN} more" if len(against) > _SHOWN else ""
    if file.label_column is None:
        rule = f"Keep one line for each video, with {SEPARATOR!r} between several labels"
    else:
        rule = f"The column {file.label_column!r} is for one label of each video: correct the lines"
    return (
        f"{file.path} contradicts itself: {'; '.join(against[:_SHOWN])}{more}. {rule}; or, if videos have several "
        "labels, give --multi-label, which adds the rows of a video up."
    )


def _added_up(file: LabelFile, matches: Matches) -> Iterable[str]:
    """Return the videos that have different labels in several rows."""
    rows = {(matches.ids[row.key], row.labels) for row in file.rows if row.labels}
    return [video_id for video_id, count in Counter(video_id for video_id, _ in rows).items() if count > 1]
