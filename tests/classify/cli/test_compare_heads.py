import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result


def test_compare_heads_prints_a_table_with_what_differs(run: Callable[..., Result], toy_store: Path) -> None:
    quick = ("--arch", "linear", "--mixup", "0", "--folds", 3, "--seeds", 1, "--jobs", 1, "--learning-rate", 0.1)

    result = run("compare_heads", toy_store, *quick, "--baselines", "majority")

    header, regression, linear, *_, majority = result.stdout.splitlines()[:5]
    assert header.split() == ["mixup", "micro-F1", "interval", "over", "the", "baseline"]
    assert regression.split()[:4] == ["logistic-regression", "-", "1.000", "0.940-1.000"]
    assert linear.split()[:4] == ["linear", "0", "1.000", "0.940-1.000"]
    assert majority.split()[:2] == ["majority", "-"]
    assert majority.endswith(")    worse")
    assert "The best is logistic-regression: no clear difference from linear" in result.stdout
    assert "Differences are paired" in " ".join(result.stdout.split())
    typed = f"train-head {toy_store} --split split.csv --arch auto"
    assert result.stderr == f"\nNext:\nsplit-videos {toy_store} -o split.csv\n{typed}\n"


def test_compare_heads_names_the_training_of_a_head_that_is_the_best(
    run: Callable[..., Result], make_store: Callable[..., Path]
) -> None:
    rise = np.linspace(-2, 2, 6)[:, None] * np.eye(16)[0]  # of one class vectors rise, of the other they fall
    rng = np.random.default_rng(0)
    videos = {f"{'xy'[n % 2]}/{n:02d}": (rise, -rise)[n % 2] + 0.3 * rng.normal(size=(6, 16)) for n in range(40)}
    quick = ("--arch", "motion", "--mixup", "0", "--folds", 2, "--seeds", 1, "--jobs", 1, "--baselines", "")
    store = make_store(videos)

    result = run("compare_heads", store, *quick, "--epochs", 60, "--learning-rate", 0.01)

    typed = f"train-head {store} --split split.csv --arch motion --mixup 0 --epochs 60 --learning-rate 0.01"
    assert result.stderr.splitlines()[-1] == typed


def test_compare_heads_names_the_next_command_with_what_was_typed(
    run: Callable[..., Result], toy_store: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text(
        "id,label,trip\n" + "".join(f"hug/{n:02d}.mp4,{'ab'[n % 2]},{n // 4}\n" for n in range(20))
    )
    quick = ("--mixup", "0", "--folds", 2, "--seeds", 1, "--jobs", 1, "--baselines", "")
    typed = ("--labels", "labels.csv", "--group-by", "trip")

    first = run("compare_heads", toy_store, "--arch", "linear", *quick, *typed)
    (tmp_path / "split.csv").touch()
    baseline = run("compare_heads", toy_store, "--arch", "", *quick[:-1], "majority", "-o", "second")

    store = str(toy_store)
    assert first.stderr.splitlines()[-2:] == [
        f"split-videos {store} --labels labels.csv --group-by trip -o split.csv",
        f"train-head {store} --split split.csv --arch auto",
    ]
    assert baseline.stderr.endswith(f"\nNext:\ntrain-head {store} --split split.csv --arch auto\n")


@pytest.mark.parametrize("more", [(), ("--resume",)], ids=["same", "resume"])
def test_the_same_comparison_goes_on_with_what_is_there(
    run: Callable[..., Result], toy_store: Path, more: tuple[str, ...]
) -> None:
    quick = ("--arch", "", "--folds", 3, "--seeds", 1, "--jobs", 1, "--json")
    first = run("compare_heads", toy_store, *quick)
    runs = Path("comparison", "runs.csv").read_text()

    again = run("compare_heads", toy_store, *quick, *more)

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "Note: comparison already held 12 of these 12 training runs; they were not run again." in again.stderr
    assert json.loads(again.stdout)["contenders"] == json.loads(first.stdout)["contenders"]
    assert Path("comparison", "runs.csv").read_text() == runs


def test_compare_heads_lets_no_copy_in_training_tell_what_the_test_shows(
    run: Callable[..., Result], make_store: Callable[..., Path]
) -> None:
    rng = np.random.default_rng(0)
    videos = {f"{'xy'[number % 2]}/{number:02d}": rng.standard_normal((8, 16)) for number in range(40)}
    store = make_store(videos | {f"{video_id}-copy": vectors * 1.01 for video_id, vectors in videos.items()})
    alone = ("--arch", "", "--baselines", "nearest-neighbours", "--folds", 4, "--seeds", 1, "--jobs", 1, "--json")

    torn = run("compare_heads", store, *alone, "-o", "torn")
    whole = run("compare_heads", store, *alone, "--group-near-duplicates", "--similarity", 0.99, "-o", "whole")

    torn_f1, whole_f1 = (
        found["micro_f1"]["value"]
        for result in (torn, whole)
        for found in json.loads(result.stdout)["contenders"]
        if found["name"] == "nearest-neighbours"
    )
    assert torn_f1 > 0.8
    assert whole_f1 < 0.7
    assert "Note: 40 pairs of near duplicates" in whole.stderr


def test_compare_heads_takes_zero_shot_where_the_encoder_knows_words(
    run: Callable[..., Result], clip_store: Path, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "prompts.json").write_text('{"hand_shake": "two people shake hands", "kick": "a kick"}')
    alone = ("--arch", "", "--folds", 3, "--seeds", 1, "--jobs", 1, "--baselines", "zero-shot")

    result = run(
        "compare_heads", clip_store, *alone, "--prompts", tmp_path / "prompts.json", "--pretrained", checkpoint
    )

    assert "zero-shot" in [line.split(" ")[0] for line in result.stdout.splitlines()[1:5]]
