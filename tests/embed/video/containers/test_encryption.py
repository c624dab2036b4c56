"""Encrypted files, made by FFmpeg's own muxer, and files whose fragments are partly clear, joined from its boxes."""

import struct
from pathlib import Path

import av
import pytest

from embed.errors import VideoError
from embed.video.decoding import read_frames
from embed.video.sampling import UniformFrames
from embed.video.timeline import read_timeline
from tests.media import write_moving_video
from tests.mp4_boxes import Box, read_boxes, write_boxes

KEY = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "00112233445566778899aabbccddeeff",
    "encryption_kid": "0123456789abcdef0123456789abcdef",
}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
ENTRIES = (b"trak", b"mdia", b"minf", b"stbl", b"stsd")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 30 frames of H.264 in three groups."""
    path = tmp_path_factory.mktemp("source") / "a.mp4"
    return write_moving_video(path, 30, codec="libx264", options={"g": "10", "bf": "0"})


def copied(source: Path, goal: Path, options: dict[str, str]) -> Path:
    """Write a video's packets to another file with options of the container."""
    with av.open(str(source)) as reading, av.open(str(goal), "w", options=options) as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for packet in reading.demux(video=0):
            if packet.size:
                packet.stream = stream
                writing.mux(packet)
    return goal


def fragments(source: Path, folder: Path) -> tuple[list[Box], list[Box]]:
    """Return the boxes of a fragmented file, clear and encrypted."""
    clear = copied(source, folder / "clear.mp4", FRAGMENTS)
    return read_boxes(clear), read_boxes(copied(source, folder / "encrypted.mp4", KEY | FRAGMENTS))


def with_entry(moof: Box, number: int) -> Box:
    """Let a fragment use another sample entry (8.8.7, tfhd), which moves what follows by four bytes."""
    header, run = moof.find(b"traf", b"tfhd"), moof.find(b"traf", b"trun")
    (flags,), (offset,) = struct.unpack(">I", header.content[:4]), struct.unpack(">i", run.content[8:12])
    header.content = b"".join(
        [struct.pack(">I", flags | 2), header.content[4:8], struct.pack(">I", number), header.content[8:]]
    )
    run.content = run.content[:8] + struct.pack(">i", offset + 4) + run.content[12:]
    for place in (box for box in moof.find(b"traf").inside if box.kind == b"saio"):
        (at,) = struct.unpack(">I", place.content[-4:])
        place.content = place.content[:-4] + struct.pack(">I", at + 4)
    return moof


def joined(clear: list[Box], encrypted: list[Box], *, encrypted_entry: int) -> list[Box]:
    """Return a file with a clear first fragment and encrypted ones after it, each kind with its own sample entry."""
    movie = next(box for box in encrypted if box.kind == b"moov")
    entries = [next(box for box in clear if box.kind == b"moov").find(*ENTRIES).inside[0]]
    entries.insert(encrypted_entry - 1, movie.find(*ENTRIES).inside[0])
    movie.find(*ENTRIES).content, movie.find(*ENTRIES).inside = bytes(4) + struct.pack(">I", 2), entries
    clear_first, encrypted_rest = clear[2:4], encrypted[4:]
    for boxes, number in ((clear_first, 3 - encrypted_entry), (encrypted_rest, encrypted_entry)):
        for moof in (box for box in boxes if box.kind == b"moof"):
            with_entry(moof, number)
    return [*encrypted[:2], *clear_first, *encrypted_rest]


def reason_of(path: Path) -> str:
    with pytest.raises(VideoError) as caught:
        read_frames(str(path), UniformFrames(8))
    return caught.value.reason


@pytest.mark.parametrize("options", [{}, FRAGMENTS], ids=["one index", "fragments"])
def test_an_encrypted_video_is_called_so(source: Path, tmp_path: Path, options: dict[str, str]) -> None:
    path = str(copied(source, tmp_path / "a.mp4", KEY | options))
    with pytest.raises(
        VideoError, match=r"encrypted: .*a\.mp4 is encrypted, as a whole or in part\. Embed a copy that"
    ):
        read_timeline(path)


@pytest.mark.parametrize("encrypted_entry", [1, 2])
def test_a_video_whose_first_fragment_is_clear_is_encrypted(source: Path, tmp_path: Path, encrypted_entry: int) -> None:
    boxes = joined(*fragments(source, tmp_path), encrypted_entry=encrypted_entry)
    assert reason_of(write_boxes(tmp_path / "a.mp4", boxes)) == "encrypted"


def test_encrypted_fragments_behind_a_clear_sample_entry_are_noticed(source: Path, tmp_path: Path) -> None:
    clear, encrypted = fragments(source, tmp_path)
    assert reason_of(write_boxes(tmp_path / "a.mp4", [*clear[:4], *encrypted[4:]])) == "encrypted"


def test_a_fragment_is_encrypted_if_only_its_second_run_of_the_track_is(source: Path, tmp_path: Path) -> None:
    clear, encrypted = fragments(source, tmp_path)
    clear[4].inside.append(encrypted[4].find(b"traf"))
    assert reason_of(write_boxes(tmp_path / "a.mp4", clear)) == "encrypted"


def test_a_clear_fragmented_video_is_not_encrypted(source: Path, tmp_path: Path) -> None:
    clear, _ = fragments(source, tmp_path)
    assert len(read_frames(str(write_boxes(tmp_path / "a.mp4", clear)), UniformFrames(8)).rgb) == 8


def test_a_clear_video_beside_encrypted_sound_is_read(source: Path, tmp_path: Path) -> None:
    clear, encrypted = fragments(source, tmp_path)
    movie, other = (next(box for box in boxes if box.kind == b"moov") for boxes in (clear, encrypted))
    sound = other.find(b"trak")
    sound.find(b"tkhd").content = (
        sound.find(b"tkhd").content[:12] + struct.pack(">I", 2) + sound.find(b"tkhd").content[16:]
    )
    sound.find(b"mdia", b"hdlr").content = sound.find(b"mdia", b"hdlr").content.replace(b"vide", b"soun")
    movie.inside.insert(2, sound)
    assert len(read_frames(str(write_boxes(tmp_path / "a.mp4", clear)), UniformFrames(8)).rgb) == 8


def element(kind: str, content: bytes) -> bytes:
    """Return an element of EBML (RFC 8794): its kind, its size in eight bytes, its content."""
    return bytes.fromhex(kind) + (1 << 56 | len(content)).to_bytes(8, "big") + content


@pytest.mark.parametrize("key", [element("47e2", b"k" * 16), element("47e2", b""), b""], ids=["key", "empty", "none"])
def test_an_encrypted_webm_is_called_so(source: Path, tmp_path: Path, key: bytes) -> None:
    """Source: RFC 9559, 5.1.4.1.31 (ContentEncodings)."""
    encryption = element("5035", element("47e1", b"\5") + key)
    assert reason_of(with_encoding(source, tmp_path, element("5033", b"\1") + encryption)) == "encrypted"


def test_a_webm_whose_packets_are_only_compressed_is_read(source: Path, tmp_path: Path) -> None:
    header = element("5034", element("4254", b"\3") + element("4255", b""))  # stripping of no byte
    assert len(read_frames(str(with_encoding(source, tmp_path, header)), UniformFrames(8)).rgb) == 8


def with_encoding(source: Path, folder: Path, stated: bytes) -> Path:
    """Return a file whose track states an encoding of its packets."""
    content = copied(source, folder / "clear.mkv", {"live": "1"}).read_bytes()
    tracks = content.rindex(bytes.fromhex("1654ae6b"))
    size = int.from_bytes(content[tracks + 4 : tracks + 6], "big") & 0x3FFF
    inside = content[tracks + 6 : tracks + 6 + size]
    entry = inside.index(b"\xae\1")  # after a checksum; its size has eight bytes
    encoding = element("6240", element("5031", b"\0") + element("5032", b"\1") + stated)
    changed = element("1654ae6b", element("ae", inside[entry + 9 :] + element("6d80", encoding)))
    path = folder / "a.mkv"
    path.write_bytes(content[:tracks] + changed + content[tracks + 6 + size :])
    return path


def packets_of_video(content: bytes) -> list[int]:
    """Return the places of the packets of FFmpeg's first stream in a transport stream."""
    return [at for at in range(0, len(content), 188) if (content[at + 1] & 0x1F, content[at + 2]) == (1, 0)]


@pytest.mark.parametrize("packet_bytes", [188, 192])
@pytest.mark.parametrize("first_share", [0.0, 0.5, 0.9])
def test_a_scrambled_transport_stream_is_called_so(
    source: Path, tmp_path: Path, first_share: float, packet_bytes: int
) -> None:
    """Source: ISO/IEC 13818-1, 2.4.3.3 (transport_scrambling_control)."""
    content = bytearray(copied(source, tmp_path / "clear.ts", {}).read_bytes())
    places = packets_of_video(bytes(content))
    for at in places[int(first_share * len(places)) :]:
        content[at + 3] |= 0x80
    time = bytes(packet_bytes - 188)
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(time + content[at : at + 188] for at in range(0, len(content), 188)))
    assert reason_of(path) == "encrypted"


@pytest.mark.parametrize("packet_bytes", [188, 192])
def test_a_transport_stream_with_one_flipped_bit_is_read(source: Path, tmp_path: Path, packet_bytes: int) -> None:
    content = bytearray(copied(source, tmp_path / "clear.ts", {}).read_bytes())
    content[packets_of_video(bytes(content))[-1] + 3] |= 0x40
    time = bytes(packet_bytes - 188)
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(time + content[at : at + 188] for at in range(0, len(content), 188)))
    assert len(read_frames(str(path), UniformFrames(8)).rgb) == 8


@pytest.mark.parametrize("stream_type", [0xDB, 0xDE])
def test_a_transport_stream_of_an_encrypted_type_is_called_so(source: Path, tmp_path: Path, stream_type: int) -> None:
    """Source: "MPEG-2 Stream Encryption Format for HTTP Live Streaming", 3.2.1 (SAMPLE-AES)."""
    content = copied(source, tmp_path / "clear.ts", {}).read_bytes()
    at = content.index(b"\x47\x50\0") + 5  # the map of the program: its section's type, and its size
    size = (int.from_bytes(content[at + 1 : at + 3], "big") & 0xFFF) - 1  # of the section without its checksum
    old = content[at : at + size]
    new = old.replace(b"\x1b\xe1\0", bytes([stream_type]) + b"\xe1\0")
    path = tmp_path / "a.ts"
    path.write_bytes(content.replace(old + checksum(old), new + checksum(new)))
    assert content.count(old + checksum(old)) > 0
    assert reason_of(path) == "encrypted"


def checksum(section: bytes) -> bytes:
    """Return the CRC of a section (ISO/IEC 13818-1, annex A)."""
    rest = 0xFFFFFFFF
    for byte in section:
        rest ^= byte << 24
        for _ in range(8):
            rest = (rest << 1 ^ (0x04C11DB7 if rest & 0x80000000 else 0)) & 0xFFFFFFFF
    return rest.to_bytes(4, "big")
