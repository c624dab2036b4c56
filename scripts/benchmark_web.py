#!/usr/bin/env python
"""How fast serve-videos answers: upload to labels of one clip, and many clients at once.

    scripts/benchmark_web.py head/ embeddings.h5 clip.mp4 [--clients 50] [--seconds 60]

Measures a server on 127.0.0.1 in a process of its own. Each upload differs in its last byte, so that none is known.
Prints one JSON object: median seconds from upload to labels, of which decoding and encoding (as embed-videos measures
them for the same file, with one worker), and for the clients how often each status came, and the 95th percentile.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from classify import VideoClassifier
from embed import EmbedConfig, embed_videos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("head")
    parser.add_argument("store")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--port", type=int, default=8123)
    given = parser.parse_args()
    command = ["from classify.cli import serve_videos; serve_videos()", given.head, "--store", given.store]
    command += ["--port", str(given.port), "--no-browser", "--device", "cpu"]
    server = subprocess.Popen([sys.executable, "-c", *command], stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{given.port}"
        wait_for(url)
        clip = given.clip.read_bytes()
        alone = [upload(url, clip, number)[1] for number in range(6)][1:]
        shares = stages(given.head, given.clip)
        crowd = many(url, clip, given.clients, given.seconds)
    finally:
        server.terminate()
        server.wait()
    print(json.dumps({"upload_to_labels_s": round(float(np.median(alone)), 3), **shares, "clients": crowd}, indent=2))


def wait_for(url: str) -> None:
    """Wait until the server takes uploads."""
    while True:
        try:
            if httpx.get(f"{url}/api/status").json()["uploads"]["is_ready"]:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)


def upload(url: str, clip: bytes, number: int) -> tuple[int, float]:
    """Return the status, and the seconds until it came."""
    began = time.perf_counter()
    content = clip + number.to_bytes(4, "big")
    status = httpx.post(f"{url}/api/predict", files={"file": ("clip.mp4", content)}, timeout=300).status_code
    return status, time.perf_counter() - began


def stages(head: str, clip: Path) -> dict[str, float]:
    """Return the seconds that decoding and encoding the clip take."""
    config = EmbedConfig.from_provenance(VideoClassifier.load(head).provenance, device="cpu")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(3):
            found.append(embed_videos(clip, Path(folder) / f"{number}.h5", config))
    return {
        "decode_cpu_s": round(float(np.median([one.decode_cpu_seconds for one in found])), 3),
        "encode_s": round(float(np.median([one.encode_seconds for one in found])), 3),
    }


def many(url: str, clip: bytes, clients: int, seconds: float) -> dict[str, Any]:
    """Let clients upload one clip after another; they wait as long as Retry-After asks, but one second at most."""
    statuses: Counter[int] = Counter()
    taken: list[float] = []
    until = time.monotonic() + seconds

    def ask(client: int) -> None:
        number = client << 16
        while time.monotonic() < until:
            number += 1
            status, lasted_s = upload(url, clip, number)
            statuses[status] += 1
            if status == 200:
                taken.append(lasted_s)
            else:
                time.sleep(1)

    threads = [threading.Thread(target=ask, args=[client]) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p95 = round(float(np.percentile(taken, 95)), 3) if taken else None
    return {"clients": clients, "seconds": seconds, "statuses": dict(statuses), "p95_s": p95}


if __name__ == "__main__":
    main()
