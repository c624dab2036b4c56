"""Contact sheets: a JPEG for each video with the frames at the moments of its labels.

    sheets/
      dog-park-3f2a91c0.jpg    the video's id, and digits that tell apart ids that are written alike

A sheet has at most 12 frames in the order of time, each with its label, mm:ss and score. The frames are decoded again,
since a store does not have them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from classify.classifier import Prediction
from classify.files import hash_text, is_unfinished, refuse_other_folder, write_whole
from classify.moments import Moment
from classify.streaming.texts import clock_text
from embed import EmbedError, Hit, read_frames

if TYPE_CHECKING:
    from PIL.Image import Image

_COLUMNS, _MOST_FRAMES = 4, 12
_FRAME_PX, _GAP_PX = 320, 8
_TITLE_PX, _CAPTION_PX, _TEXT_PX = 40, 30, 18
_BACKGROUND, _INK, _FAINT = (20, 22, 26), (240, 240, 240), (160, 165, 175)
_QUALITY = 85
_MADE_BY = b"framehead contact sheet"
_DIGITS, _LONGEST_NAME = 8, 100
_OWN_NAME = re.compile(rf".*-[0-9a-f]{{{_DIGITS}}}\.jpg", re.DOTALL)


@dataclass(frozen=True)
class _FramesAt:
    """The frames shown at moments: a rule of sampling.

    Args:
        moments_s: (T,) rising, on the clock of the file.
    """

    moments_s: tuple[float, ...]

    def indices(self, timeline: Any) -> NDArray[np.int64]:
        """Return the (T, 1) frames that are shown nearest to the moments."""
        shown_s = np.asarray(timeline.timestamps_s)
        middles = (shown_s[1:] + shown_s[:-1]) / 2
        return np.asarray(np.searchsorted(middles, self.moments_s)[:, None], dtype=np.int64)

    def to_json(self) -> dict[str, Any]:
        """Return the rule's name; no store is made by it."""
        return {"name": "frames at moments"}


class _Thumbnail:
    """Makes each frame small as soon as it is decoded: 12 frames of 8K are more than a gigabyte."""

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a frame (H, W_px, 3) of the width of a cell, or of its largest height."""
        from PIL import Image, ImageOps

        return np.asarray(ImageOps.contain(Image.fromarray(rgb), (_FRAME_PX, 2 * _FRAME_PX)))


@final
@dataclass(frozen=True)
class Sheets:
    """Makes contact sheets in a folder.

    Args:
        folder: where they lie. It is made when the first one is.
        inputs: what the run reads.

    Raises:
        ClassifyError: the folder holds other things, or lies in an input.
    """

    folder: Path
    inputs: Sequence[str | Path] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        refuse_other_folder(
            self.folder,
            what="contact sheets",
            is_own=lambda path: bool(_OWN_NAME.fullmatch(path.name)) or is_unfinished(path.name),
            inputs=[source for source in self.inputs if "://" not in str(source)],
        )

    def make(self, video: Prediction) -> bool:
        """Write the sheet of a video; return False if it is no local file, or cannot be read."""
        if not video.location or not Path(video.location).is_file():
            return False
        moments = choose_moments(video.moments)
        if not moments:
            return True
        try:
            frames = read_frames(video.location, _FramesAt(tuple(own.best_s for own in moments)), _Thumbnail())
        except EmbedError:
            return False
        write_whole(self.path_of(video.video_id), _draw(video, moments, list(frames.rgb[:, 0])))
        return True

    def path_of(self, video_id: str) -> Path:
        """Return where the sheet of a video lies. No part of an id names a folder.

        >>> Sheets(Path("sheets")).path_of("../dogs/a park.mp4").name
        'dogs-a-park-mp4-aaea2892.jpg'
        """
        plain = re.sub(r"[^\w]+", "-", video_id).strip("-")
        name = plain.encode(errors="ignore")[:_LONGEST_NAME].decode(errors="ignore")
        return self.folder / f"{name}-{hash_text(video_id)[:_DIGITS]}.jpg"


def choose_moments(moments: Sequence[Moment]) -> list[Moment]:
    """Return the moments of a sheet: the best of each label first, then the best of the others, in order of time."""
    ranked = sorted(moments, key=lambda own: -own.score)
    first = {own.label: own for own in reversed(ranked)}.values()
    others = [own for own in ranked if own not in first]
    chosen = [*sorted(first, key=lambda own: -own.score), *others][:_MOST_FRAMES]
    return sorted(chosen, key=lambda own: own.best_s)


def _draw(video: Prediction, moments: Sequence[Moment], frames: Sequence[NDArray[np.uint8]]) -> bytes:
    title = f"{video.video_id}   {', '.join(f'{own} {video.probabilities[own]:.2f}' for own in video.labels)}"
    captions = [(own.label, f"{clock_text(own.best_s)}  {own.score:.2f}") for own in moments]
    return draw_sheet(title, captions, frames)


def draw_hits(title: str, hits: Sequence[Hit]) -> bytes | None:
    """Return the sheet of what a search found, as the bytes of a JPEG; None if no hit lies in a local file."""
    captions, frames = [], []
    for hit in hits:
        if not Path(hit.location).is_file() or not hit.location:
            continue
        try:
            frames.append(read_frames(hit.location, _FramesAt((hit.best_s,)), _Thumbnail()).rgb[0, 0])
        except EmbedError:
            continue
        captions.append((hit.video_id, f"{clock_text(hit.best_s)}  {hit.score:.2f}"))
    return draw_sheet(title, captions, frames) if frames else None


def is_sheet(path: Path) -> bool:
    """Return True for a file that `draw_sheet` made."""
    with path.open("rb") as file:
        return _MADE_BY in file.read(1000)


def draw_sheet(title: str, captions: Sequence[tuple[str, str]], frames: Sequence[NDArray[np.uint8]]) -> bytes:
    """Return a sheet as the bytes of a JPEG.

    Args:
        title: one line above all frames.
        captions: below each frame, on the left and on the right.
        frames: (H, W_px, 3) RGB each, at least one.
    """
    from PIL import Image, ImageDraw, ImageFont

    height_px = max(_FRAME_PX // 4, *(frame.shape[0] for frame in frames))
    columns = min(_COLUMNS, len(frames))
    rows = -(-len(frames) // columns)
    cell = (_FRAME_PX + _GAP_PX, height_px + _CAPTION_PX + _GAP_PX)
    size = (max(columns, 2) * cell[0] + _GAP_PX, rows * cell[1] + _TITLE_PX + _GAP_PX)
    sheet = Image.new("RGB", size, _BACKGROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT_PX)
    pen.text((_GAP_PX, _GAP_PX), _fit(title, size[0] - 2 * _GAP_PX, font), fill=_INK, font=font)
    for place, ((name, said), frame) in enumerate(zip(captions, frames, strict=True)):
        left, top = _GAP_PX + place % columns * cell[0], _TITLE_PX + place // columns * cell[1]
        sheet.paste(_centred(frame, height_px), (left, top))
        room = _FRAME_PX - int(font.getlength(said)) - 2 * _GAP_PX
        pen.text((left, top + height_px + 4), _fit(name, room, font), fill=_INK, font=font)
        pen.text((left + _FRAME_PX, top + height_px + 4), said, fill=_FAINT, font=font, anchor="ra")
    file = BytesIO()
    sheet.save(file, "JPEG", quality=_QUALITY, comment=_MADE_BY)
    return file.getvalue()


def _centred(frame: NDArray[np.uint8], height_px: int) -> "Image":
    """Return a frame in the middle of a cell."""
    from PIL import Image

    cell = Image.new("RGB", (_FRAME_PX, height_px), (0, 0, 0))
    cell.paste(Image.fromarray(frame), ((_FRAME_PX - frame.shape[1]) // 2, (height_px - frame.shape[0]) // 2))
    return cell


def _fit(text: str, width_px: int, font: Any) -> str:
    """Return a text of one line that is not wider, and whose end is cut off if it would be."""
    plain = "".join(sign if sign.isprintable() else "?" for sign in text)
    while plain and font.getlength(plain) > width_px:
        plain = f"{plain[:-2]}…" if plain.endswith("…") else f"{plain[:-1]}…"
        if plain == "…":
            break
    return plain
