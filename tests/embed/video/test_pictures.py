"""Pictures look as a screen would show them, in whatever way their colours are stored."""

import ctypes
from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from av.sidedata.sidedata import Type
from numpy.typing import NDArray
from PIL import Image, ImageOps

from embed.video.decoding import read_frames
from embed.video.pictures import PictureReader
from embed.video.sampling import UniformFrames
from tests.media import add_messages, crop_packets, moving_frame, set_display_matrix, write_moving_video

BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)  # weights of red and blue
SWATCHES = [(255, 255, 255), (0, 0, 0), (200, 40, 40), (40, 180, 60), (30, 60, 200), (128, 128, 128), (230, 200, 30)]


def stored(
    rgb: NDArray[np.uint8], weights: tuple[float, float], *, is_full: bool, bits: int = 8
) -> list[NDArray[np.uint16]]:
    """Return the Y'CbCr planes of (H, W_px, 3) RGB, as defined by H.273, section 8.3."""
    red, green, blue = np.moveaxis(rgb / 255.0, -1, 0)
    kr, kb = weights
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = [(blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))]
    unit = 1 << bits - 8
    if is_full:
        planes = [luma * (256 * unit - 1), *((plane * (256 * unit - 1)) + 128 * unit for plane in chroma)]
    else:
        planes = [unit * (219 * luma + 16), *(unit * (224 * plane + 128) for plane in chroma)]
    return [np.clip(np.round(plane), 0, 256 * unit - 1).astype(np.uint16) for plane in planes]


def frame_of(planes: list[NDArray[np.uint16]], pixel_format: str, colorspace: int, color_range: int) -> av.VideoFrame:
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixel_format)
    for plane, values in zip(frame.planes, planes, strict=True):
        wide = values.astype("<u2" if "le" in pixel_format else np.uint8)
        row = np.zeros((height, plane.line_size), dtype=np.uint8)
        row[:, : wide.nbytes // height] = wide.view(np.uint8).reshape(height, -1)
        plane.update(row.tobytes())
    frame.colorspace, frame.color_range = colorspace, color_range
    return frame


def swatches() -> NDArray[np.uint8]:
    return np.array(SWATCHES, dtype=np.uint8)[None].repeat(16, 0).repeat(16, 1)


@pytest.mark.parametrize("is_full", [True, False], ids=["full range", "limited range"])
@pytest.mark.parametrize(("pixel_format", "bits"), [("yuv444p", 8), ("yuv444p10le", 10), ("yuv444p12le", 12)])
@pytest.mark.parametrize(
    ("weights", "colorspace"),
    [pytest.param(BT601, 6, id="BT.601"), pytest.param(BT709, 1, id="BT.709"), pytest.param(BT2020, 9, id="BT.2020")],
)
def test_every_way_to_store_colours_shows_the_same_picture(
    weights: tuple[float, float], colorspace: int, pixel_format: str, bits: int, is_full: bool
) -> None:
    planes = stored(swatches(), weights, is_full=is_full, bits=bits)
    frame = frame_of(planes, pixel_format, colorspace, 2 if is_full else 1)
    assert np.abs(PictureReader().read(frame).astype(int) - swatches()).max() <= 3


def test_a_file_that_states_no_colours_is_bt601_in_limited_range() -> None:
    frame = frame_of(stored(swatches(), BT601, is_full=False), "yuv444p", 2, 0)
    assert np.abs(PictureReader().read(frame).astype(int) - swatches()).max() <= 3


@pytest.mark.parametrize(("transfer", "white"), [pytest.param(16, 0.5807, id="PQ"), pytest.param(18, 0.75, id="HLG")])
def test_hdr_white_comes_out_light_and_grey_stays_grey(transfer: int, white: float) -> None:
    # BT.2408: reference white, 203 cd/m2, is 58% of PQ and 75% of HLG.
    levels = np.array([0.0, white / 2, white, 1.0]) * 255
    rgb = levels.round().astype(np.uint8)[None, :, None].repeat(16, 0).repeat(16, 1).repeat(3, 2)
    frame = frame_of(stored(rgb, BT2020, is_full=False, bits=10), "yuv444p10le", 9, 1)
    frame.color_trc = transfer
    shown = PictureReader().read(frame)[8, 8::16].astype(int)
    assert np.ptp(shown, axis=1).max() <= 3
    black, dark, light, peak = shown.mean(axis=1)
    assert black <= 2
    assert 20 < dark < light
    assert 190 < light < peak
    assert peak >= 250


def test_transparent_parts_are_shown_on_black() -> None:
    rgba = np.full((16, 32, 4), 255, dtype=np.uint8)
    rgba[:, :8, 3], rgba[:, 8:16, 3] = 0, 128
    shown = PictureReader().read(av.VideoFrame.from_ndarray(rgba, format="rgba"))
    assert shown[0, [0, 8, 16], 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_a_transparent_webm_is_shown_on_black(tmp_path: Path, codec: str) -> None:
    path = write_transparent_video(tmp_path / "a.webm", 40, codec=codec)
    rgb = read_frames(str(path), UniformFrames(3)).rgb[:, 0]
    assert rgb[:, :, :60].max() <= 2
    assert rgb[:, :, 68:].min() >= 250
    everything = read_frames(str(path), UniformFrames(40)).rgb[:, 0]
    np.testing.assert_array_equal(everything[UniformFrames(3).choose(40)], rgb)


def write_transparent_video(path: Path, frame_count: int, *, codec: str) -> Path:
    """Return a file with a white picture whose left half is transparent."""
    rgba = np.full((96, 128, 4), 255, dtype=np.uint8)
    rgba[:, :64, 3] = 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"auto-alt-ref": "0", "g": "8", "deadline": "realtime"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuva420p"
        for number in range(frame_count):
            frame = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format="yuva420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_transparent_gif_is_shown_on_black(odd_videos: Path) -> None:
    rgb = read_frames(str(odd_videos / "torchcodec" / "transparent.gif"), UniformFrames(1)).rgb
    assert rgb[0, 0, 0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        pytest.param(Fraction(2), (32, 128), id="wide pixels widen"),
        pytest.param(Fraction(1, 2), (64, 64), id="tall pixels heighten"),
        pytest.param(Fraction(0), (32, 64), id="an unknown ratio is square"),
        pytest.param(Fraction(1000), (32, 64), id="an absurd ratio is square"),
        pytest.param(None, (32, 64), id="no ratio is square"),
    ],
)
def test_pixels_are_made_square(aspect: Fraction | None, size: tuple[int, int]) -> None:
    frame = av.VideoFrame.from_ndarray(np.zeros((32, 64, 3), dtype=np.uint8), format="rgb24")
    assert PictureReader(aspect).read(frame).shape[:2] == size


def test_an_anamorphic_file_is_made_square(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), dtype=np.uint8))))
        container.mux(stream.encode(None))
    assert read_frames(str(path), UniformFrames(1)).rgb.shape == (1, 1, 48, 85, 3)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("decord/video_90.mov", (568, 320)),
        ("decord/video_180.mov", (320, 568)),
        ("torchcodec/nasa_13013_rotated.mp4", None),
    ],
)
def test_rotated_files_are_shown_upright(odd_videos: Path, name: str, size: tuple[int, int] | None) -> None:
    frames = read_frames(str(odd_videos / name), UniformFrames(1))
    stored_size = (frames.timeline.height_px, frames.timeline.width_px)
    assert frames.rgb.shape[2:4] == (size or stored_size[::-1])


@pytest.mark.parametrize(
    ("turn", "turned"),
    [
        pytest.param((1, 0, 0, 1), lambda rgb: rgb, id="as it is"),
        pytest.param((-1, 0, 0, 1), lambda rgb: rgb[:, ::-1], id="left and right exchanged"),
        pytest.param((-1, 0, 0, -1), lambda rgb: rgb[::-1, ::-1], id="half a turn"),
        pytest.param((1, 0, 0, -1), lambda rgb: rgb[::-1], id="top and bottom exchanged"),
        pytest.param((0, 1, 1, 0), lambda rgb: rgb.swapaxes(0, 1), id="rows and columns exchanged"),
        pytest.param((0, 1, -1, 0), lambda rgb: np.rot90(rgb, -1), id="a quarter turn clockwise"),
        pytest.param((0, -1, -1, 0), lambda rgb: rgb[::-1, ::-1].swapaxes(0, 1), id="mirrored at the other diagonal"),
        pytest.param((0, -1, 1, 0), lambda rgb: np.rot90(rgb), id="a quarter turn anticlockwise"),
    ],
)
def test_a_display_matrix_turns_and_mirrors(
    tmp_path: Path, turn: tuple[int, int, int, int], turned: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> None:
    path = write_moving_video(tmp_path / "a.mp4", 2, codec="libx264", options={})
    plain = read_frames(str(path), UniformFrames(1)).rgb[0, 0]
    shown = read_frames(str(set_display_matrix(path, turn)), UniformFrames(1)).rgb[0, 0]
    np.testing.assert_array_equal(shown, turned(plain))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_in_a_video_are_shown_as_their_exif_block_says(tmp_path: Path, orientation: int) -> None:
    picture = Image.fromarray(moving_frame(0, 128, 96))
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = BytesIO()
    picture.save(content, "jpeg", exif=exif, quality=95, subsampling=0)
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuvj444p"
        packet = av.Packet(content.getvalue())
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 25)
        container.mux(packet)
    shown = read_frames(str(tmp_path / "a.avi"), UniformFrames(1)).rgb[0, 0]
    upright = np.asarray(ImageOps.exif_transpose(Image.open(content)))
    assert shown.shape == upright.shape
    assert np.abs(shown.astype(int) - upright).mean() < 3


# FFmpeg's types 28 and above are beyond PyAV's names.
ENHANCEMENT = (4, b"\xb4\x00\x50\x00\x01" + b"enhancement")  # MPEG-5 LCEVC, as registered user data: side data 28
QUARTER_TURN_AND_MIRROR = (47, (0b010 << 37 | 0x4000 << 21 | 0b10 << 19).to_bytes(5, "big"))  # mirrored, then turned


def test_side_data_without_a_name_does_not_hide_the_display_matrix(tmp_path: Path) -> None:
    plain = write_moving_video(tmp_path / "a.h264", 6, codec="libx264", options={})
    marked = add_messages(plain, tmp_path / "b.h264", [ENHANCEMENT, QUARTER_TURN_AND_MIRROR])
    turned = add_messages(plain, tmp_path / "c.h264", [QUARTER_TURN_AND_MIRROR])
    unmarked, upright, shown = (read_frames(str(path), UniformFrames(6)).rgb for path in (plain, turned, marked))
    np.testing.assert_array_equal(shown, upright)
    np.testing.assert_array_equal(shown, unmarked.swapaxes(2, 3))


def put_side_data(frame: av.VideoFrame, kind: int, content: bytes) -> None:
    """Put side data on a frame, as FFmpeg's decoders do: with its own function, since PyAV has none."""
    (library,) = (Path(av.__file__).parents[1] / "av.libs").glob("libavutil*")
    add = ctypes.CDLL(str(library)).av_frame_new_side_data
    add.argtypes, add.restype = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t], ctypes.POINTER(_SideData)
    behind_head = id(frame) + object.__basicsize__ + ctypes.sizeof(ctypes.c_void_p)  # and behind Cython's methods
    place = ctypes.c_void_p.from_address(behind_head).value
    ctypes.memmove(add(place, kind, len(content)).contents.data, content, len(content))


class _SideData(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int), ("data", ctypes.c_void_p)]  # Source: FFmpeg's libavutil/frame.h


HALF_TURN = np.array([-(1 << 16), 0, 0, 0, -(1 << 16), 0, 0, 0, 1 << 30], np.int32).tobytes()


@pytest.mark.parametrize("kind", [*range(28, 36), 100, 1000])
def test_no_kind_of_side_data_that_pyav_cannot_name_is_an_error(kind: int) -> None:
    """Spatial video (MV-HEVC) has kind 29; later releases of FFmpeg add others."""
    picture = moving_frame(0, 64, 48)
    frame, turned = (av.VideoFrame.from_ndarray(picture, format="rgb24") for _ in range(2))
    put_side_data(frame, kind, b"\1\0\0\0")
    np.testing.assert_array_equal(PictureReader().read(frame), picture)
    put_side_data(turned, kind, b"\1\0\0\0")
    put_side_data(turned, Type.DISPLAYMATRIX.value, HALF_TURN)
    np.testing.assert_array_equal(PictureReader().read(turned), picture[::-1, ::-1])


@pytest.mark.parametrize(
    ("codec", "planes", "interleaved"),
    [
        pytest.param("libx264", "yuv420p", "nv12", id="8 bits"),
        pytest.param("mjpeg", "yuvj420p", "nv12", id="full range"),
        pytest.param("libx265", "yuv420p10le", "p010le", id="10 bits"),
    ],
)
def test_colours_interleaved_as_by_a_gpu_give_the_pixels_of_planes(
    tmp_path: Path, codec: str, planes: str, interleaved: str
) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = write_moving_video(tmp_path / "a.mkv", 3, codec=codec, options=options, pixel_format=planes)
    with av.open(str(path)) as container:
        frame = list(container.decode(video=0))[1]
    assert frame.format.name == planes
    reader = PictureReader()
    np.testing.assert_array_equal(reader.read(frame.reformat(format=interleaved)), reader.read(frame))


@pytest.mark.parametrize(
    ("name", "interleaved"),
    [
        ("nasa_13013_rotated.mp4", "nv12"),
        ("bt601_full_range.mp4", "nv12"),
        ("testsrc2_odd_height_and_width_vp9.mp4", "nv12"),
        ("nasa_13013_hdr.mp4", "p010le"),
        ("bt2020_10bit.mp4", "p010le"),
    ],
)
def test_colours_of_real_files_interleaved_as_by_a_gpu_give_the_pixels_of_planes(
    odd_videos: Path, name: str, interleaved: str
) -> None:
    with av.open(str(odd_videos / "torchcodec" / name)) as container:
        frame = next(container.decode(video=0))
    reader = PictureReader()
    np.testing.assert_array_equal(reader.read(frame.reformat(format=interleaved)), reader.read(frame))


@pytest.mark.parametrize(("left_px", "top_px"), [(2, 2), (32, 16), (64, 0)])
def test_a_streams_crop_is_applied_to_the_pixel(tmp_path: Path, left_px: int, top_px: int) -> None:
    whole = write_moving_video(tmp_path / "a.mp4", 12, codec="libx264", options={})
    cropped = crop_packets(whole, tmp_path / "cropped.mp4", left_px=left_px, top_px=top_px)
    pixels, expected = (read_frames(str(path), UniformFrames(3)).rgb.astype(int) for path in (cropped, whole))
    assert np.abs(pixels - expected[:, :, top_px:, left_px:]).max() <= 6  # chroma at the edges is interpolated again
