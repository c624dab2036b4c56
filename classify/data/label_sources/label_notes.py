"""Notes on labels for people: which may be one, which may be several, and lists of names."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from classify.data.label_sources.label_text import SEPARATOR, bare_name
from embed.machine import counted

_LISTED = 10  # a message lists at most this many names, then "and 7 more"
_FEW = 0.1  # share of the videos; more with several labels are no slip
_BLANK = frozenset({"nan", "n/a", "#n/a", "na", "none", "null", "<na>", "nat"})
_OTHER_SEPARATORS = (";", ",")


def list_first(names: Sequence[str]) -> str:
    """Return names with commas between them; of many, the first ten.

    >>> list_first("abcdefghijklm")
    'a, b, c, d, e, f, g, h, i, j and 3 more'
    """
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def note_videos(what: str, ids: Iterable[str], without: Iterable[str]) -> tuple[str, ...]:
    """Return a note on the ids that are not in `without`; none if there are no such ids."""
    left = sorted(set(ids) - set(without))
    if not left:
        return ()
    return (f"{counted(len(left), 'video')} {what}: {list_first(left)}.",)


def note_alike(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return a note on labels that are perhaps one, written in several ways.

    Args:
        counts: label -> number of its videos.

    >>> note_alike({"Hug": 3, "hug": 1, "kick": 2})
    ("Labels that may be one: 'Hug' (3 videos) and 'hug' (1 video). Each is learned for itself; if they are one, write \
them alike.",)
    """
    alike: dict[str, list[str]] = {}
    for name in counts:
        alike.setdefault(bare_name(name), []).append(name)
    pairs = [
        " and ".join(f"{name!r} ({counted(counts[name], 'video')})" for name in names)
        for names in alike.values()
        if len(names) > 1
    ]
    if not pairs:
        return ()
    return (
        f"Labels that may be one: {list_first(pairs)}. Each is learned for itself; if they are one, write them alike.",
    )


def note_joined(names: Collection[str]) -> tuple[str, ...]:
    """Return a note on labels that may be several, with another separator between them than this package takes.

    A semicolon is always told; a comma if all labels have one, or if parts of labels are labels elsewhere.

    >>> note_joined(["kick;body"])
    ("';' does not separate labels, so 'kick;body' is one label. If it is several, write '|' between them.",)
    >>> note_joined(["Tops, T-shirts", "Shoes"])
    ()
    """
    for separator in _OTHER_SEPARATORS:
        joined = {name: [part.strip() for part in name.split(separator)] for name in names if separator in name}
        joined = {name: parts for name, parts in joined.items() if all(parts)}
        parts = [part for own in joined.values() for part in own]
        recur = len(set(parts)) < len(parts) or not set(parts).isdisjoint(names)
        if joined and (separator == ";" or len(joined) == len(names) or recur):
            return (
                f"{separator!r} does not separate labels, so {min(joined)!r} is one label. If it is several, write "
                f"{SEPARATOR!r} between them.",
            )
    return ()


def note_blanks(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return a note on labels that programs write where a cell is blank.

    Args:
        counts: label -> number of its videos.

    >>> note_blanks({"nan": 2, "kick": 5})
    ("'nan' (2 videos) is a label here, but spreadsheets and pandas write it for a blank cell. If it is none, leave \
the cell blank.",)
    """
    found = [f"{name!r} ({counted(count, 'video')})" for name, count in counts.items() if name.lower() in _BLANK]
    if not found:
        return ()
    is_one = len(found) == 1
    return (
        f"{list_first(found)} {'is a label' if is_one else 'are labels'} here, but spreadsheets and pandas write "
        f"{'it' if is_one else 'them'} for a blank cell. If it is none, leave the cell blank.",
    )


def note_several(labels: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Return a note on videos with several labels, if they are few: a slip changes how all videos are learned.

    Args:
        labels: id -> the labels of the video.
    """
    several = sorted(video_id for video_id, names in labels.items() if len(names) > 1)
    if not 0 < len(several) <= _FEW * len(labels):
        return ()
    shown = [f"{video_id} ({SEPARATOR.join(sorted(labels[video_id]))})" for video_id in several]
    verb = "has" if len(several) == 1 else "have"
    return (
        f"{len(several)} of {counted(len(labels), 'video')} {verb} several labels: {list_first(shown)}. So a head "
        "decides on each label by itself, and may give a video none or several. If these are slips, correct them: with "
        "one label for each video, it gives every video its likeliest.",
    )
