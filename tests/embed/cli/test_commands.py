import json
import os
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner

from embed.cli import as_typed, embed_videos, inspect_embeddings
from embed.decode_pool import DecodeLimits
from embed.run import EmbedConfig
from embed.store import Failure, StoreWriter
from embed.video.nvdec import why_no_gpu
from tests.embed.stores import PROVENANCE, write_store
from tests.media import write_video
from tests.processes import slow_file

LITE0 = ["--model", "efficientnet-lite0", "--frames-count", "3", "--batch-size", "4"]


LICENCE = "Weights of efficientnet-lite0 (bundled), licence: Apache-2.0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    for number in range(2):
        write_video(tmp_path / "videos" / f"{number}.mp4", 10)
    return tmp_path / "videos"


def test_a_folder_is_embedded_and_described(folder: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "s.h5")
    result = CliRunner().invoke(embed_videos, [str(folder), *LITE0, "-o", store, "--json"])
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    summary = json.loads(result.stdout)
    assert {"embedded", "skipped", "failed", "vectors", "seconds", "store"} <= summary.keys()
    assert (summary["embedded"], summary["vectors"], summary["store"]) == (2, 6, store)
    report = CliRunner().invoke(inspect_embeddings, [store, "--verify"])
    assert report.exit_code == 0
    assert "6 of 1280 dimensions" in report.stdout
    assert "efficientnet-lite0" in report.stdout
    assert "verified  no problems" in report.stdout


def test_a_broken_video_makes_the_exit_code_1_and_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.mp4").write_text("x")
    result = CliRunner().invoke(embed_videos, [str(folder), *LITE0, "-o", str(tmp_path / "s.h5")])
    assert result.exit_code == 1
    assert "2 videos embedded, 0 in the store already, 1 failed\n" in result.stdout
    assert "\nFailed:\n  broken.mp4\n    unreadable:" in result.stderr


def test_failures_that_may_pass_end_with_the_command_that_tries_them_again(folder: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "my store.h5")
    command = [str(folder), *LITE0, "--timeout", "1", "-o", store]
    with slow_file(folder / "silent.mp4"):
        first = CliRunner().invoke(embed_videos, command, prog_name="embed-videos").stderr
        line = first.split("To try failed videos again:\n")[1].split("\n")[0]
        again = CliRunner().invoke(embed_videos, [*shlex.split(line)[1:], "--json"], prog_name="embed-videos")
    assert line == f"embed-videos --retry-failed {shlex.join(command)}"
    assert json.loads(again.stdout)["failures"][0]["attempts"] == 2


def test_no_command_is_offered_where_trying_again_cannot_help(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.mp4").write_text("x")
    (tmp_path / "list.txt").write_text("videos/broken.mp4\nvideos/0.mp4\nabsent.mp4\n")
    result = CliRunner().invoke(embed_videos, [str(tmp_path / "list.txt"), *LITE0, "-o", str(tmp_path / "s.h5")])
    assert result.exit_code == 1
    assert "not_found:" in result.stderr
    assert "--retry-failed" not in result.stderr


def test_what_is_gone_is_told_with_the_command_that_drops_it(folder: Path, tmp_path: Path) -> None:
    command = [str(folder), *LITE0, "-o", str(tmp_path / "s.h5")]
    CliRunner().invoke(embed_videos, command)
    (folder / "0.mp4").unlink()
    (folder / "hug").mkdir()
    (folder / "1.mp4").rename(folder / "hug" / "1.mp4")
    told = CliRunner().invoke(embed_videos, command, prog_name="embed-videos")
    assert "1 video moved and kept the vectors: 1.mp4 is hug/1.mp4 now\n" in told.stdout
    assert "1 video of the store is no longer in these sources: 0.mp4\n" in told.stdout
    line = told.stderr.split("To drop from the store what is no longer in these sources:\n")[1].split("\n")[0]
    pruned = CliRunner().invoke(embed_videos, shlex.split(line)[1:])
    assert "1 video dropped from the store: 0.mp4\n" in pruned.stdout
    listed = CliRunner().invoke(inspect_embeddings, [str(tmp_path / "s.h5"), "--list"])
    assert listed.stdout == f"hug/1.mp4\thug\t{folder}/hug/1.mp4\n"
    described = json.loads(CliRunner().invoke(inspect_embeddings, [str(tmp_path / "s.h5"), "--list", "--json"]).stdout)
    assert [(video["id"], video["vectors"]) for video in described["listed"]] == [("hug/1.mp4", 3)]


def test_copies_and_second_names_are_told(folder: Path, tmp_path: Path) -> None:
    (folder / "hug").mkdir()
    write_video(folder / "hug" / "2.mp4", 12)
    command = [str(folder / "hug"), str(folder), *LITE0, "-o", str(tmp_path / "s.h5")]
    told = " ".join(CliRunner().invoke(embed_videos, command).stdout.split())
    assert "1 file named by two ids and not embedded twice: 2.mp4 is in the store as hug/2.mp4" in told
    assert "1 group of videos with the same content under several ids: 0.mp4 = 1.mp4" in told


@pytest.mark.parametrize(
    ("options", "is_shown"),
    [pytest.param([], True, id="for people"), pytest.param(["--json"], False, id="for programs")],
)
def test_the_next_command_is_a_line_to_paste(folder: Path, tmp_path: Path, options: list[str], is_shown: bool) -> None:
    store = str(tmp_path / "my store.h5")
    (folder / "hug").mkdir()
    (folder / "0.mp4").rename(folder / "hug" / "0.mp4")
    result = CliRunner().invoke(embed_videos, [str(folder), *LITE0, *options, "-o", store])
    assert result.stderr == (f"{LICENCE}\nNext:\nsplit-videos '{store}'\n" if is_shown else "")


def test_videos_without_class_folders_are_to_be_predicted_or_labelled_by_a_file(folder: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "s.h5")
    first, second = CliRunner().invoke(embed_videos, [str(folder), *LITE0, "-o", store]).stderr.split("\n")[3:5]
    assert shlex.split(first, comments=True) == ["predict-videos", "head/", store]
    assert shlex.split(second, comments=True) == ["split-videos", store, "--labels", "labels.csv"]


def test_a_run_that_stores_nothing_has_no_next_command(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_text("x")
    command = [str(tmp_path / "broken.mp4"), *LITE0, "-o", str(tmp_path / "s.h5")]
    result = CliRunner().invoke(embed_videos, command)
    assert result.exit_code == 1
    assert "Next:" not in result.stderr


@pytest.mark.parametrize(
    ("options", "vectors"),
    [
        pytest.param(["--sampling", "keyframes"], 2, id="each of these videos has one key frame"),
        pytest.param(["--sampling", "fps", "--fps", "5"], 4, id="0.4 s at 5 a second"),
        pytest.param(["--first-seconds", "0.08"], 4, id="the first two frames"),
    ],
)
def test_other_samplings_choose_other_frames(folder: Path, tmp_path: Path, options: list[str], vectors: int) -> None:
    arguments = [str(folder), *LITE0, *options, "-o", str(tmp_path / "s.h5"), "--json"]
    assert json.loads(CliRunner().invoke(embed_videos, arguments).stdout)["vectors"] == vectors


@pytest.mark.skipif(why_no_gpu() is None, reason="needs a machine without an NVIDIA GPU")
def test_videos_that_a_gpu_should_have_decoded_are_counted_with_the_reason(folder: Path, tmp_path: Path) -> None:
    arguments = [str(folder), *LITE0, "--decode-device", "cuda", "-o", str(tmp_path / "s.h5")]
    result = CliRunner().invoke(embed_videos, arguments)
    assert result.exit_code == 0, result.output
    assert "2 videos decoded on the CPU: FFmpeg finds no NVIDIA GPU" in result.stdout


def test_several_views_are_more_rows_and_shown(folder: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "s.h5")
    result = CliRunner().invoke(embed_videos, [str(folder), *LITE0, "--views", "whole,left-mirrored", "-o", store])
    assert result.exit_code == 0, result.output
    report = CliRunner().invoke(inspect_embeddings, [store]).stdout
    assert "vectors   12 of 1280 dimensions" in report
    assert "views     whole, left-mirrored" in report


def test_fps_belongs_to_its_sampling(folder: Path) -> None:
    result = CliRunner().invoke(embed_videos, [str(folder), "--fps", "2"])
    assert result.exit_code == 2
    assert "--fps is for --sampling fps, not for uniform" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["absent"], "absent does not exist", id="an absent source"),
        pytest.param([".", "--model", "ViT-B-33"], "no encoder 'ViT-B-33'", id="an unknown encoder"),
        pytest.param([".", "--frames-count", "0"], "'--frames-count': 0 is not in the range", id="no frames"),
        pytest.param([".", "--fps", "inf", "--sampling", "fps"], "'--fps': inf is not a finite", id="endless fps"),
        pytest.param([".", "--first-seconds", "inf"], "'--first-seconds': inf is not a finite", id="endless time"),
        pytest.param([".", "--first-seconds", "-1"], "'--first-seconds': -1.0 is not in the range", id="before 0"),
        pytest.param([".", "--timeout", "inf"], "'--timeout': inf is not a finite number", id="no time limit"),
        pytest.param([".", "--timeout", "0"], "'--timeout': 0.0 is not in the range", id="no time"),
        pytest.param([".", "--memory-limit", "inf"], "'--memory-limit': inf is not in", id="endless memory"),
        pytest.param([".", "--memory-limit", "1e-12"], "'--memory-limit': 1e-12 is not in", id="no memory"),
        pytest.param([".", "--memory-limit", "nan"], "'--memory-limit': nan is not a finite", id="memory of no number"),
        pytest.param([".", "--workers", "0"], "'--workers': 0 is not in the range", id="no workers"),
        pytest.param([".", "--batch-size", "0"], "'--batch-size': 0 is not in the range", id="no batch"),
        pytest.param([".", "--decode-device", "cuda", "--decoder", "opencv"], "--decode-device cuda", id="no engine"),
        pytest.param(
            [".", "--views", "centre,top"], "There is no view 'top'. Choose from centre, whole", id="an unknown view"
        ),
        pytest.param([".", "--views", "centre,centre"], "got centre, centre", id="a view twice"),
        pytest.param([".", "--log", "/dev/null/run.log"], "/dev/null/run.log", id="a log nowhere"),
    ],
)
def test_wrong_usage_is_a_message_with_the_option_as_typed_and_exit_code_2(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(embed_videos, [*arguments, *(LITE0[:2] if "--model" not in arguments else [])])
    assert result.exit_code == 2
    assert message in result.stderr
    python_names = {field.name for kind in (EmbedConfig, DecodeLimits) for field in fields(kind) if "_" in field.name}
    assert not [name for name in python_names | {"frame_count", "first_seconds"} if name in result.stderr]


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        pytest.param("frame_count must be at least 1, got 0", "--frames-count must be at least 1, got 0", id="frames"),
        pytest.param("timeout_s must be finite", "--timeout must be finite", id="timeout"),
        pytest.param("memory_bytes must be at least 1", "--memory-limit must be at least 1", id="memory"),
        pytest.param("fps must be finite and above 0", "--fps must be finite and above 0", id="one word, must be"),
        pytest.param("The fps is 0.5", "--fps is 0.5", id="one word, is"),
        pytest.param("leave out `workers` and `fps`", "leave out --workers and --fps", id="in backticks"),
        pytest.param("no store /a/batch_size/e.h5", "no store /a/batch_size/e.h5", id="a path stays"),
        pytest.param(
            "batch_size.csv has no column 'batch_size'", "batch_size.csv has no column 'batch_size'", id="quoted"
        ),
        pytest.param("See the log of the device.", "See the log of the device.", id="other words stay"),
        pytest.param("--batch-size, my_batch_size", "--batch-size, my_batch_size", id="other names stay"),
    ],
)
def test_a_message_names_options_as_they_are_typed(message: str, typed: str) -> None:
    assert as_typed(message, embed_videos) == typed


def test_a_damaged_store_makes_the_exit_code_1_and_is_named(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.h5", ["a", "b"])
    with h5py.File(path, "a") as file:
        file["timestamps_s"][0] = 9.0
    result = CliRunner().invoke(inspect_embeddings, [str(path), "--verify"])
    assert result.exit_code == 1
    assert "a: its rows are not the ones that were written" in result.stdout
    saving = f"inspect-embeddings {path} --repair {tmp_path / 's-repaired.h5'}"
    assert result.stderr == f"\nTo save the undamaged videos:\n{saving}\n"


def test_a_file_name_that_is_not_utf8_is_shown_with_its_bytes(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    with StoreWriter(tmp_path / "s.h5", PROVENANCE) as writer:
        writer.append_failure(Failure(name, f"/{name}", "unreadable", "no header"))
    command = [Path(sys.executable).with_name("inspect-embeddings"), tmp_path / "s.h5"]
    shown = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    assert r"    caf\udce9.mp4: no header" in shown


def test_a_report_as_json_has_the_provenance(tmp_path: Path) -> None:
    result = CliRunner().invoke(inspect_embeddings, [str(write_store(tmp_path / "s.h5", ["a"])), "--json"])
    report = json.loads(result.stdout)
    assert report["provenance"]["encoder"]["preprocessing"]["side_px"] == 160
    assert report["problems"] is None


def test_stores_are_merged_and_the_new_one_is_shown(tmp_path: Path) -> None:
    stores = [str(write_store(tmp_path / "a.h5", ["a"])), str(write_store(tmp_path / "b", ["b"]))]
    result = CliRunner().invoke(inspect_embeddings, [*stores, "--merge", str(tmp_path / "all.h5"), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["videos"] == 2


def test_a_damaged_store_is_repaired_and_what_is_lost_is_named(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.h5", ["a", "b"])
    with h5py.File(path, "a") as file:
        file["timestamps_s"][0] = 9.0
    result = CliRunner().invoke(inspect_embeddings, [str(path), "--repair", str(tmp_path / "new.h5")])
    assert result.exit_code == 1
    assert "videos    1 " in result.stdout
    assert "lost  a" in result.stderr
    again = CliRunner().invoke(inspect_embeddings, [str(tmp_path / "new.h5"), "--verify"])
    assert again.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["a.h5", "b.h5"], "You named 2 stores. Name one, or join them", id="several stores"),
        pytest.param(["a.h5", "--merge", "c", "--repair", "d"], "are two steps. Repair first", id="both at once"),
    ],
)
def test_a_new_store_is_made_in_one_way(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(inspect_embeddings, arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    command = [Path(sys.executable).with_name("embed-videos"), "--help"]
    assert min(processor_seconds(command) for _ in range(3)) < 0.5  # on one core, also on a busy machine


def processor_seconds(command: list[str | Path]) -> float:
    before = os.times()
    subprocess.run(command, capture_output=True, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
