"""A decoded frame -> upright RGB pixels that look as a screen would show them.

- The matrix (BT.601, 709, 2020) and the range (full, limited) are the frame's own. If a file states none, they are
  BT.601 and limited, as in FFmpeg.
- PQ and HLG (HDR) are mapped to BT.709: a white of 203 cd/m2 becomes SDR's white, and highlights are rolled off.
- Frames from a GPU are downloaded, and their interleaved colours are separated into planes, as a CPU's decoder gives
  them. FFmpeg converts interleaved colours to RGB in another way than planes, and pixels would differ (by 0.7 to 3
  levels where measured).
- 10 and 12 bits become 8. Transparent parts are shown on black.
- Side data that PyAV has no name for changes nothing.
- Anamorphic pixels are made square by enlarging the shorter side, so nothing is lost. Then the display matrix turns
  the picture upright, by the nearest quarter turn, and mirrors it.
"""

from collections.abc import Mapping
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_PQ, _HLG = 16, 18  # transfer characteristics of ITU-T H.273, table 3
_WIDEST_PIXEL = 16  # a ratio beyond this comes from a broken header, not from a lens
_LUT_SIDE = 33

PLANES_OF = {"nv12": "yuv420p", "p010le": "yuv420p10le"}
"""Pixel formats of a GPU -> the CPU's formats with the same samples."""
_WHITE_NITS, _PEAK_NITS = 203.0, 1000.0  # BT.2408: HDR reference white, and the display it is graded for


class PictureReader:
    """Turns the frames of one video into pictures. Each decoding thread needs its own, since it keeps FFmpeg's scaler.

    Args:
        pixel_aspect: width of a pixel divided by its height; None or 0 if the file does not state it.
    """

    def __init__(self, pixel_aspect: Fraction | None = None) -> None:
        from av.video.reformatter import VideoReformatter

        _accept_unnamed_side_data()
        self._scaler, self._separator = VideoReformatter(), VideoReformatter()
        ratio = pixel_aspect or Fraction(1)
        self._aspect = ratio if Fraction(1, _WIDEST_PIXEL) <= ratio <= _WIDEST_PIXEL else Fraction(1)

    def read(self, frame: "VideoFrame") -> NDArray[np.uint8]:
        """Return a frame's (H, W_px, 3) RGB pixels, whether it is on a CPU or a GPU."""
        turn = _turn_of(frame)
        planes = PLANES_OF.get((frame.sw_format or frame.format).name)
        if planes:
            frame = self._separator.reformat(frame, format=planes, threads=1)
        has_alpha = any(component.is_alpha for component in frame.format.components)
        width_px, height_px = self.size(frame.width, frame.height)
        converted = self._scaler.reformat(
            frame,
            width_px,
            height_px,
            "rgba" if has_alpha else "rgb24",
            interpolation="BILINEAR" if (width_px, height_px) == (frame.width, frame.height) else "BICUBIC",
            threads=1,  # starting more threads takes 2 to 8 times as long as converting a 480p to 720p frame
        )
        pixels = converted.to_ndarray().astype(np.uint8, copy=False)
        rgb = _on_black(pixels) if has_alpha else pixels
        if frame.color_trc in (_PQ, _HLG):
            rgb = np.asarray(Image.fromarray(rgb).filter(_hdr_to_sdr(frame.color_trc)))
        return _upright(rgb, turn)

    def size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the (width, height) of the picture of a frame of this size, before the picture is turned upright."""
        return square_size(width_px, height_px, self._aspect)


def square_size(width_px: int, height_px: int, pixel_aspect: Fraction) -> tuple[int, int]:
    """Return the (width, height) that shows a picture with square pixels.

    >>> square_size(720, 576, Fraction(64, 45))
    (1024, 576)
    >>> square_size(1440, 480, Fraction(1, 2))
    (1440, 960)
    """
    if pixel_aspect >= 1:
        return round(width_px * pixel_aspect), height_px
    return width_px, round(height_px / pixel_aspect)


Turn = tuple[int, int, int, int]
"""(a, b, c, d): a pixel stored at (x, y) is shown at (a x + c y, b x + d y), apart from a factor and a shift."""


def _turn_of(frame: "VideoFrame") -> Turn:
    """Read a frame's display matrix. Source: FFmpeg's libavutil/display.h."""
    side_data = cast("Mapping[str, bytes]", frame.side_data)  # PyAV's stubs do not declare it
    if "DISPLAYMATRIX" not in side_data:
        return 1, 0, 0, 1
    a, b, _, c, d, *_ = np.frombuffer(side_data["DISPLAYMATRIX"], dtype=np.int32).tolist()
    return a, b, c, d


@cache
def _accept_unnamed_side_data() -> None:
    """Let PyAV list side data that FFmpeg knows and PyAV does not, such as an EXIF block or the view of spatial video.

    Up to 18.1, listing a frame's side data raises ValueError at the first type without a name, and no other call gives
    the whole display matrix: `frame.rotation` does not say whether a picture is mirrored. Later releases list it; once
    one is out, setup.cfg requires it, and this goes. Source: PyAV pull request 2392.
    """
    from av.sidedata.sidedata import Type

    def unnamed(kind: Any, number: int) -> Any:
        member = object.__new__(kind)
        member._name_, member._value_ = f"UNNAMED_{number}", number
        return member

    setattr(Type, "_missing_", classmethod(unnamed))  # noqa: B010 (mypy refuses the assignment to a method)


def _upright(rgb: NDArray[np.uint8], turn: Turn) -> NDArray[np.uint8]:
    """Turn and mirror a picture, as the ffmpeg program does (fftools/ffmpeg_filter.c, autorotate)."""
    a, b, c, d = turn
    if abs(b) + abs(c) > abs(a) + abs(d):
        rgb, a, d = rgb.swapaxes(0, 1), c, b
    return np.ascontiguousarray(rgb[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _on_black(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the (H, W_px, 3) colours of (H, W_px, 4) pixels on black; their colours are not premultiplied."""
    weighted = rgba[..., :3].astype(np.uint16) * rgba[..., 3:]
    return ((weighted + 127) // 255).astype(np.uint8)


@lru_cache(maxsize=2)
def _hdr_to_sdr(transfer: int) -> ImageFilter.Color3DLUT:
    """Build the table from BT.2020 R'G'B' in PQ or HLG to BT.709 R'G'B'."""
    steps = np.linspace(0, 1, _LUT_SIDE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")  # red varies fastest, as Pillow requires
    signal = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    nits = _pq_to_nits(signal) if transfer == _PQ else _hlg_to_nits(signal)
    mapped = _roll_off(nits) @ _BT2020_TO_BT709.T
    table = np.clip(mapped, 0, 1) ** (1 / 2.4)  # the inverse of BT.1886, which an SDR screen applies
    return ImageFilter.Color3DLUT(_LUT_SIDE, table.ravel().tolist())


# Source: the inverse of the matrix in BT.2087, annex 2.
_BT2020_TO_BT709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])

# Source: SMPTE ST 2084, as in BT.2100, table 4.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def _pq_to_nits(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    power = signal ** (1 / _M2)
    nits: NDArray[np.float64] = 10_000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)
    return nits


def _nits_to_pq(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    power = (nits / 10_000) ** _M1
    signal: NDArray[np.float64] = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return signal


def _hlg_to_nits(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light of an HLG signal, with HLG undone and its system gamma of 1.2 applied.

    Source: BT.2100, table 5.
    """
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    nits: NDArray[np.float64] = _PEAK_NITS * scene * luminance[:, None] ** 0.2
    return nits


def _roll_off(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (K, 3) light as (K, 3) values of at most 1: each colour is scaled as its brightest channel is.

    Source: the curve of BT.2390, section 5.4.1, from a peak of 1,000 to one of 203 cd/m2.
    """
    brightest = np.maximum(nits.max(axis=1, keepdims=True), 1e-6)
    source_peak, goal_peak = _nits_to_pq(np.array([_PEAK_NITS, _WHITE_NITS]))
    level, ceiling = np.minimum(_nits_to_pq(brightest) / source_peak, 1), goal_peak / source_peak
    knee = 1.5 * ceiling - 0.5
    t = np.clip((level - knee) / (1 - knee), 0, 1)
    curve = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * ceiling
    mapped = _pq_to_nits(np.where(level < knee, level, curve) * source_peak)
    scaled: NDArray[np.float64] = nits / brightest * mapped / _WHITE_NITS
    return scaled
