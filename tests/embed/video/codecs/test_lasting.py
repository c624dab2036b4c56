"""What outlives a picture: one made stream of each kind is planned, and each frame equals that of decoding everything.

The streams are those of real encoders, with the element put in by hand.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from embed.video.codecs.marks import ENTRY
from embed.video.decoding import read_frames, shown_in_order
from embed.video.sampling import KeyFrames, UniformFrames
from embed.video.timeline import read_packets
from tests.embed.mixes import CODECS
from tests.embed.video.test_planning import mistakes, planned_choices
from tests.media import join_streams, write_moving_video

FRAME_COUNT = 48
Change = Callable[[int, bytes], bytes]
"""A packet's place and content -> its new content."""


def rewrite(source: Path, goal: Path, change: Change) -> Path:
    """Write a video's packets again, with other contents."""
    with av.open(str(source)) as reading, av.open(str(goal), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for order, packet in enumerate(packet for packet in reading.demux(video=0) if packet.size):
            changed = av.Packet(change(order, bytes(packet)))
            changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
            changed.duration, changed.is_keyframe, changed.stream = packet.duration, packet.is_keyframe, stream
            writing.mux(changed)
    return goal


def unlike_in_order(path: Path, count: int | None) -> list[int]:
    """Return the sampled frames that differ from those of decoding everything; None samples key frames."""
    packets = read_packets(str(path))
    everything = dict(shown_in_order(str(path), packets.timeline, frozenset(range(packets.timeline.frame_count)), 1))
    sampling = KeyFrames() if count is None else UniformFrames(count)
    indices = sampling.indices(packets.timeline)[:, 0].tolist()
    rgb = read_frames(str(path), sampling, thread_count=2).rgb[:, 0]
    return [index for index, pixels in zip(indices, rgb, strict=True) if not np.array_equal(pixels, everything[index])]


@pytest.mark.parametrize("count", [1, 3, 8, None], ids=str)
@pytest.mark.parametrize("name", ["alpha_vp8.webm", "mpeg2_quant_matrix.ts"])
def test_what_was_once_planned_wrongly_equals_decoding_everything(cases: Path, name: str, count: int | None) -> None:
    assert unlike_in_order(cases / name, count) == []


@pytest.mark.parametrize(
    ("codec", "name", "options"),
    [
        pytest.param("libvpx", "V_VP8", {"deadline": "realtime", "cpu-used": "8"}, id="VP8"),
        pytest.param("libvpx-vp9", "V_VP9", {"deadline": "realtime", "cpu-used": "8"}, id="VP9"),
    ],
)
@pytest.mark.parametrize(("alpha_key_every", "entry_count"), [(16, 3), (32, 2), (1000, 1)])
def test_an_entry_of_transparent_webm_is_one_for_its_alpha_too(
    tmp_path: Path, codec: str, name: str, options: dict[str, str], alpha_key_every: int, entry_count: int
) -> None:
    colours, alpha = (
        contents(
            write_moving_video(
                tmp_path / f"{every}.webm", FRAME_COUNT, codec=codec, options=options | {"g": str(every)}
            )
        )
        for every in (16, alpha_key_every)
    )
    path = tmp_path / "a.webm"
    path.write_bytes(transparent_webm(name, list(zip(colours, alpha, strict=True))))
    assert read_frames(str(path), UniformFrames(1)).rgb.max() > 0
    assert {count: unlike_in_order(path, count) for count in (1, 3, 8, None)} == {1: [], 3: [], 8: [], None: []}
    assert mistakes(path) == {}
    assert (read_packets(str(path)).marks & ENTRY != 0).sum() == entry_count


def test_transparent_webm_whose_alpha_is_missing_somewhere_is_decoded_in_order(tmp_path: Path) -> None:
    options = {"cpu-used": "4", "auto-alt-ref": "0", "g": "16"}
    packets = contents(write_moving_video(tmp_path / "c.webm", FRAME_COUNT, codec="libvpx", options=options))
    pairs = [(content, content if order != 20 else b"") for order, content in enumerate(packets)]
    path = tmp_path / "a.webm"
    path.write_bytes(transparent_webm("V_VP8", pairs))
    assert not read_packets(str(path)).is_plannable


def transparent_webm(codec: str, packets: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a WebM file of 128 x 96 pixels: packets of colour at 25 frames per second, each with its alpha.

    Source: RFC 9559 (Matroska), 5.1.3 (blocks) and 5.1.4 (tracks).
    """
    head = element("1A45DFA3", element("4282", b"webm"), element("4287", b"\4"), element("4285", b"\2"))
    video = element("E0", element("B0", bytes([128])), element("BA", bytes([96])), element("53C0", b"\1"))
    track = element("AE", *(element(name, b"\1") for name in ("D7", "73C5", "83", "55EE")), video)
    track = element("AE", track[9:], element("86", codec.encode()))
    blocks = [
        element(
            "A0",
            element("A1", b"\x81" + (40 * number).to_bytes(2, "big") + b"\0" + colours),
            element("75A1", element("A6", element("EE", b"\1"), element("A5", alpha))) if alpha else b"",
            b"" if number % 16 == 0 else element("FB", b"\xd8"),
        )
        for number, (colours, alpha) in enumerate(packets)
    ]
    cluster = element("1F43B675", element("E7", b"\0"), *blocks)
    info = element("1549A966", element("2AD7B1", (1_000_000).to_bytes(3, "big")))
    return head + element("18538067", info, element("1654AE6B", track), cluster)


def element(name: str, *contents: bytes) -> bytes:
    """Return an element of EBML, with a size of eight bytes."""
    content = b"".join(contents)
    return bytes.fromhex(name) + (len(content) | 1 << 56).to_bytes(8, "big") + content


MPEG2 = ("mpeg2video", {"g": "12", "bf": "2"})
FLAT_MATRICES = f"{0b0011:04b}1{f'{60:08b}' * 64}1{f'{60:08b}' * 64}00"


def start_code(code: int, bits: str) -> bytes:
    """Return an element of MPEG-2 or MPEG-4, filled up with a 1 bit and 0 bits."""
    filled = (bits + "1").ljust(-(-(len(bits) + 1) // 8) * 8, "0")
    return b"\0\0\1" + bytes([code]) + int(filled, 2).to_bytes(len(filled) // 8, "big")


def mpeg2_kind(content: bytes) -> str:
    """Return I, P or B."""
    return " IPB"[content[content.index(b"\0\0\1\0") + 5] >> 3 & 7]


def with_matrices(content: bytes) -> bytes:
    """Put a quantiser matrix extension in front of the first slice."""
    at = content.index(b"\0\0\1\1")
    return content[:at] + start_code(0xB5, FLAT_MATRICES) + content[at:]


def with_sequence(content: bytes, head: bytes) -> bytes:
    """Put a sequence header with flat matrices, and its extension, in front of a picture."""
    extension = head[head.index(b"\0\0\1\xb5") :][:10]
    flat = head[:11] + bytes([head[11] & 0xFC | 2 | 60 >> 7]) + _flat_tail()
    return flat + extension + content


def _flat_tail() -> bytes:
    """Return matrices of 60 whose first bit is the last one of the byte before."""
    bits = f"{60:08b}" * 64 + "1" + f"{60:08b}" * 64
    return int(bits[1:], 2).to_bytes(128, "big")


@pytest.mark.parametrize("kind", ["B", "P"])
@pytest.mark.parametrize("element", ["matrices", "sequence header"])
def test_mpeg2_matrices_hold_beyond_their_picture(tmp_path: Path, kind: str, element: str) -> None:
    source = write_moving_video(tmp_path / "a.ts", FRAME_COUNT, codec=MPEG2[0], options=MPEG2[1])
    with av.open(str(source)) as container:
        head = bytes(next(container.demux(video=0)))

    def change(order: int, content: bytes) -> bytes:
        if order % 12 in (4, 5, 6) and mpeg2_kind(content) == kind:
            return with_matrices(content) if element == "matrices" else with_sequence(content, head)
        return content

    path = rewrite(source, tmp_path / "b.ts", change)
    assert any(change(order, content) != content for order, content in enumerate(contents(source)))
    changed, plain = (dict(enumerate(read_frames(str(each), UniformFrames(99)).rgb)) for each in (path, source))
    assert sum(not np.array_equal(changed[index], plain[index]) for index in plain) > 4
    assert mistakes(path) == {}
    assert planned_choices(path)


def contents(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def put_before_slice(content: bytes, unit: bytes, kinds: Sequence[int], *, is_hevc: bool) -> bytes:
    """Put a unit in front of a packet's first slice, if this is of one of the kinds."""
    for match in re.finditer(rb"(?s)\x00\x00\x01(.)", content):
        kind = match[1][0] >> 1 & 63 if is_hevc else match[1][0]
        if kind in kinds:
            return content[: match.start()] + b"\0\0\1" + unit + content[match.start() :]
    return content


def message(kind: int, bits: str, *, is_hevc: bool) -> bytes:
    """Return a unit with one message."""
    filled = (bits + "1").ljust(-(-(len(bits) + 1) // 8) * 8, "0")
    payload = int(filled, 2).to_bytes(len(filled) // 8, "big").replace(b"\0\0\0", b"\0\0\3\0")
    return (b"\x4e\1" if is_hevc else b"\6") + bytes([kind, len(filled) // 8]) + payload + b"\x80"


ORIENTATION, TRANSFER, FILM_GRAIN = 47, 147, 19
UPSIDE_DOWN = {True: "011" + "0" * 16 + "1", False: "011" + "0" * 16 + "010" + "0"}
HLG = f"{18:08b}"


@pytest.mark.parametrize("thread_count", [1, 4])
@pytest.mark.parametrize(
    ("name", "kind", "is_hevc", "slices"),
    [
        pytest.param("H.264 closed", ORIENTATION, False, (1,), id="H.264, orientation"),
        pytest.param("H.264 closed", TRANSFER, False, (1,), id="H.264, transfer"),
        pytest.param("HEVC closed", ORIENTATION, True, (0, 6, 8), id="HEVC, orientation"),
        pytest.param("HEVC closed", TRANSFER, True, (0, 6, 8), id="HEVC, transfer"),
    ],
)
def test_a_message_beside_a_disposable_picture_holds_beyond_it(
    tmp_path: Path, name: str, kind: int, is_hevc: bool, slices: tuple[int, ...], thread_count: int
) -> None:
    codec, options, _ = CODECS[name]
    source = write_moving_video(tmp_path / "a.ts", FRAME_COUNT, codec=codec, options=options)
    unit = message(kind, UPSIDE_DOWN[is_hevc] if kind == ORIENTATION else HLG, is_hevc=is_hevc)
    changed = [put_before_slice(content, unit, slices, is_hevc=is_hevc) for content in contents(source)]
    first = next(order for order, content in enumerate(contents(source)) if order > 18 and changed[order] != content)
    path = rewrite(source, tmp_path / "b.ts", lambda order, content: changed[order] if order == first else content)
    plain, whole = (read_frames(str(each), UniformFrames(99), thread_count=1).rgb for each in (source, path))
    assert (plain != whole).any(axis=(1, 2, 3, 4)).sum() > (0 if (kind, is_hevc) == (ORIENTATION, False) else 9)
    for count in (3, 8, 99):
        rgb = read_frames(str(path), UniformFrames(count), thread_count=thread_count).rgb
        np.testing.assert_array_equal(rgb, whole[UniformFrames(count).choose(FRAME_COUNT)])


def test_colours_of_h264_hold_where_a_later_parameter_set_states_none(tmp_path: Path) -> None:
    hdr = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
    parts = [
        write_moving_video(
            tmp_path / f"{number}.h264",
            24,
            codec="libx264",
            options={"x264-params": f"keyint=8:bframes=0:repeat-headers=1:{colours}"},
        )
        for number, colours in enumerate(["fps=25", hdr, "fps=25"])
    ]
    path = join_streams(parts, tmp_path / "a.mkv")
    plain = join_streams([parts[0], parts[2]], tmp_path / "b.mkv")
    joined, other = (read_frames(str(each), UniformFrames(99), thread_count=1).rgb for each in (path, plain))
    assert (joined[48:] != other[24:]).any(axis=(1, 2, 3, 4)).all()
    assert mistakes(path) == {}
    assert planned_choices(path) == set()
