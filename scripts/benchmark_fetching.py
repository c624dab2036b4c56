"""Measure the cost of a few frames of a large remote video: fetched in part, and as a whole copy.

An H.264 MP4 file of --megabytes is made (720p, 25 frames per second, a key
frame every 2 s, index at the end). A web server on this machine sends it: it
answers after --latency-ms, and sends each answer at --megabytes-per-second.
The file is fetched and decoded as in a run. Prints a Markdown table with
medians of the rounds; bytes are those that the server counted. The frames of
both ways are compared bit by bit.
"""

import argparse
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import av
import numpy as np

from embed.decode_pool import DecodedVideo, DecodePlan, decode_videos
from embed.sources import FetchConfig, Fetcher, Video
from embed.video import Preprocessing, UniformFrames

WIDTH_PX, HEIGHT_PX, FPS, GROUP_FRAMES, PART_FRAMES = 1280, 720, 25, 50, 100
PREPROCESSING = Preprocessing(224, 224, "shortest", "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
WAYS = {"in part": FetchConfig().sparse_bytes, "whole copy": 1 << 50}


@dataclass(frozen=True)
class Cost:
    """The cost of one fetch: wall time from the request to the decoded frames, bytes that were sent, and requests."""

    seconds: float
    served_bytes: int
    requests: int


class FileServer(ThreadingHTTPServer):
    """Serves one file, whole or by ranges, and counts requests and bytes."""

    daemon_threads = True

    def __init__(self, path: Path, latency_s: float, bytes_per_s: float) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.path, self.latency_s, self.bytes_per_s = path, latency_s, bytes_per_s
        self.served_bytes = self.requests = 0
        self.lock = threading.Lock()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        start, stop = self._head()
        began = time.monotonic()
        with self.server.path.open("rb") as file:
            file.seek(start)
            for at in range(start, stop, 1 << 20):
                self.wfile.write(file.read(min(1 << 20, stop - at)))
                if self.server.bytes_per_s:
                    ready_s = (at + (1 << 20) - start) / self.server.bytes_per_s
                    time.sleep(max(0.0, began + ready_s - time.monotonic()))
        with self.server.lock:
            self.server.served_bytes += stop - start

    def _head(self) -> tuple[int, int]:
        time.sleep(self.server.latency_s)
        with self.server.lock:
            self.server.requests += 1
        size = self.server.path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start, stop = (int(asked[1]), min(int(asked[2]) + 1, size)) if asked else (0, size)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.send_header("Content-Length", str(stop - start))
        self.send_header("Content-Type", "video/mp4")
        self.end_headers()
        return start, stop


@contextmanager
def serving(path: Path, latency_s: float, bytes_per_s: float) -> Iterator[FileServer]:
    """Run a server of one file."""
    server = FileServer(path, latency_s, bytes_per_s)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def write_large_video(path: Path, size_bytes: int) -> None:
    """Write a file that repeats the packets of a few seconds of noise until it is large enough."""
    part = path.with_name("part.mp4")
    _write_part(part)
    with av.open(str(part)) as reading:
        packets = [packet for packet in reading.demux(video=0) if packet.size]
        step = int(Fraction(PART_FRAMES, FPS) / Fraction(reading.streams.video[0].time_base or 1))
        with av.open(str(path), "w") as writing:
            stream = writing.add_stream_from_template(reading.streams.video[0])
            for repeat in range(1 + size_bytes // sum(packet.size for packet in packets)):
                for packet in packets:
                    again = av.Packet(bytes(packet))
                    again.pts, again.dts = (packet.pts or 0) + repeat * step, (packet.dts or 0) + repeat * step
                    again.duration, again.time_base = packet.duration, packet.time_base
                    again.is_keyframe, again.stream = packet.is_keyframe, stream
                    writing.mux(again)


def _write_part(path: Path) -> None:
    rng = np.random.default_rng(0)
    options = {"preset": "ultrafast", "crf": "20", "g": str(GROUP_FRAMES), "bf": "2"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        coarse = rng.integers(0, 256, (HEIGHT_PX // 4, WIDTH_PX // 4, 3), dtype=np.uint8)
        for number in range(PART_FRAMES):
            rgb = np.roll(coarse, (number, 2 * number), axis=(0, 1)).repeat(4, 0).repeat(4, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))


def fetch_and_decode(server: FileServer, frame_count: int, sparse_bytes: int) -> tuple[Cost, DecodedVideo]:
    """Fetch and decode the video once; return the cost and the decoded video."""
    before = server.served_bytes, server.requests
    began = time.perf_counter()
    with Fetcher(FetchConfig(sparse_bytes=sparse_bytes, folder=str(server.path.parent))) as fetcher:
        video = Video("large", f"http://127.0.0.1:{server.server_address[1]}/large.mp4")
        plan = DecodePlan(UniformFrames(frame_count), PREPROCESSING)
        (decoded,) = decode_videos(fetcher.ahead([video]), plan, workers=1, fetch=fetcher.local_file)
    if not isinstance(decoded, DecodedVideo):
        raise SystemExit(f"the video was not decoded: {decoded.detail}")
    cost = Cost(time.perf_counter() - began, server.served_bytes - before[0], server.requests - before[1])
    return cost, decoded


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--megabytes", type=int, default=1000, help="size of the video; default: %(default)s")
    add("--frames-count", type=int, default=8, help="frames to decode; default: %(default)s")
    add("--latency-ms", type=float, default=50, help="the server's delay before an answer; default: %(default)s")
    add("--megabytes-per-second", type=float, default=100, help="speed of each answer, 0 for no limit; default: 100")
    add("--rounds", type=int, default=5, help="how often each way is measured; default: %(default)s")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.mp4"
        write_large_video(path, arguments.megabytes * 1_000_000)
        with serving(path, arguments.latency_ms / 1000, arguments.megabytes_per_second * 1e6) as server:
            rounds = [
                {way: fetch_and_decode(server, arguments.frames_count, limit) for way, limit in WAYS.items()}
                for _ in range(arguments.rounds)
            ]
        print(
            f"{arguments.frames_count} frames of {path.stat().st_size / 1e6:,.0f} MB over HTTP on this machine, "
            f"{arguments.latency_ms:g} ms before an answer, then {arguments.megabytes_per_second:g} MB/s; "
            f"medians of {arguments.rounds}.\n"
        )
    print("| fetched | MB | requests | seconds | frames equal |\n| --- | --- | --- | --- | --- |")
    for way in WAYS:
        costs = [outcome[way][0] for outcome in rounds]
        is_equal = all(np.array_equal(o[way][1].rgb, o["whole copy"][1].rgb) for o in rounds)
        print(
            f"| {way} | {median(cost.served_bytes for cost in costs) / 1e6:,.1f} "
            f"| {median(cost.requests for cost in costs):g} | {median(cost.seconds for cost in costs):.2f} "
            f"| {'yes' if is_equal else 'NO'} |"
        )


if __name__ == "__main__":
    main()
