"""Ctrl-C while the encoder works: the command ends within two seconds, and later continues where it stopped."""

import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from embed.store import StoreWriter
from embed.store.inspection import inspect_embeddings
from tests.embed.stores import PROVENANCE, append
from tests.media import write_video

# Tests that run in the background of a shell inherit its setting to ignore Ctrl-C.
HEAR_CTRL_C = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
PROMISED_S = 2.0
LONGEST_S = 10.0  # how long the two seconds may take on a busy machine
TRIES = 4


def test_ctrl_c_ends_within_two_seconds_with_a_store_to_continue_from(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for number in range(12):
        write_video(tmp_path / "videos" / f"{number}.mp4", 40)
    # Other programs can only delay the end: one try in time shows that nothing of ours takes longer.
    for number in range(TRIES):
        store = tmp_path / f"{number}.h5"
        command = [Path(sys.executable).with_name("embed-videos"), tmp_path / "videos", "-o", store]
        command += ["--log", store.with_suffix(".jsonl"), "--json", "--model", "efficientnet-lite0"]
        seconds = seconds_to_end(command, store.with_suffix(".jsonl"))
        assert seconds < LONGEST_S
        if seconds < PROMISED_S:
            break
    assert seconds < PROMISED_S

    done = store.with_suffix(".jsonl").read_text().count("\n")
    assert 0 < done < 12
    assert not inspect_embeddings(store, is_verifying=True).problems
    summary = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert (summary["skipped"], summary["embedded"]) == (done, 12 - done)


def seconds_to_end(command: list[str | Path], log: Path) -> float:
    """Interrupt a command once it has logged a video; return how long it takes to report this and end."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=HEAR_CTRL_C
    )
    while not log.exists() or not log.read_text().count("\n"):
        assert process.poll() is None
        time.sleep(0.01)
    interrupted = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaints == "\nStopped. Finished work is stored. Run the same command again to continue.\n"
    return time.monotonic() - interrupted


def test_ctrl_c_while_stores_are_merged_says_that_nothing_was_stored(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        for number in range(150):  # 60 MB, so that the merge takes a while
            append(writer, f"{number}.mp4", number, count=20_000)
    command = [Path(sys.executable).with_name("inspect-embeddings"), tmp_path / "s.h5", "--merge", tmp_path / "all.h5"]
    for _ in range(TRIES):  # on a busy machine the signal may come when the merge has ended
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=HEAR_CTRL_C)
        while process.poll() is None and not any(path.suffix == ".tmp" for path in tmp_path.rglob("all.h5*")):
            pass
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=60)
        if process.returncode != 0:
            break
        (tmp_path / "all.h5").unlink()
    assert process.returncode == 130
    assert complaints == "\nStopped. The stores are unchanged. A new store appears whole or not at all.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["s.h5"]
