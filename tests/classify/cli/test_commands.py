import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import Result

from classify import cli
from embed import Failure, Provenance


def test_split_videos_prints_counts_a_class_and_part(run: Callable[..., Result], toy_store: Path) -> None:
    result = run("split_videos", toy_store, "--test-size", 0.2)

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "label   train  validation  test",
        "hug        14           2     4",
        "kick       14           2     4",
        "wave       14           2     4",
        "videos     42           6    12",
        "",
        "-> split.csv",
    ]


def test_split_videos_prints_json_for_programs(run: Callable[..., Result], toy_store: Path) -> None:
    result = run("split_videos", toy_store, "--json")

    assert json.loads(result.stdout)["videos"] == {"train": 48, "validation": 6, "test": 6}


def test_split_videos_writes_a_file_for_each_fold(run: Callable[..., Result], toy_store: Path, tmp_path: Path) -> None:
    result = run("split_videos", toy_store, "--folds", 3, "--validation-size", 0)

    assert result.stdout.splitlines()[:3] == [
        "fold         train  validation  test",
        "split-1.csv     40           0    20",
        "split-2.csv     40           0    20",
    ]
    assert run("train_head", toy_store, "--split", tmp_path / "split-3.csv").exit_code == 0


def test_split_videos_groups_copies_and_says_which(run: Callable[..., Result], make_store: Callable[..., Path]) -> None:
    rng = np.random.default_rng(0)
    videos = {f"{'xy'[number % 2]}/{number:02d}": rng.standard_normal((8, 16)) for number in range(20)}
    store = make_store({**videos, "x/copy": videos["x/00"] * 1.01})

    result = run("split_videos", store, "--group-near-duplicates", "--similarity", 0.99)

    assert result.exit_code == 0, result.output
    assert "groups     16" in result.stdout
    assert "1 pair of near duplicates (least similar: x/00 and x/copy, 1.000)" in result.stderr


def test_split_videos_keeps_groups_and_says_how_many(
    run: Callable[..., Result], toy_store: Path, tmp_path: Path
) -> None:
    ids = [f"{name}/{index:02d}.mp4" for name in ("hug", "kick", "wave") for index in range(20)]
    rows = "".join(f"{video_id},{video_id.split('/')[0]},{video_id[-6:]}\n" for video_id in ids)
    (tmp_path / "labels.csv").write_text(f"id,label,group\n{rows}nobody.mp4,hug,g\n")

    result = run("split_videos", toy_store, "--labels", "labels.csv", "--group-by", "group")

    assert "groups     16           2     2" in result.stdout
    assert result.stderr.startswith("Note: 1 video labelled but not in the store: nobody.mp4.\n\nNext:\n")


def test_split_videos_and_train_head_drop_rare_labels_and_extend_a_heads_vocabulary(
    trained: Callable[..., Result], toy_store: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text(
        "id,label\n" + "".join(f"hug/{n:02d}.mp4,{'ab'[n % 2]}\n" for n in range(20)) + "kick/00.mp4,rare\n"
    )
    options = ("--labels", "labels.csv", "--min-count", 2, "--vocabulary", "head")

    split = trained("split_videos", toy_store, *options)
    result = trained("train_head", toy_store, *options, "--split", "split.csv", "-o", "second")

    assert "Note: 1 label of fewer than 2 videos dropped: rare (1)." in split.stderr
    assert result.exit_code == 0, result.output
    names = json.loads((tmp_path / "second" / "head.json").read_text())["label_names"]
    assert names == ["hug", "kick", "wave", "a", "b"]


def test_describe_dataset_prints_tables_and_names_the_folder(
    trained: Callable[..., Result], toy_store: Path, tmp_path: Path
) -> None:
    result = trained("describe_dataset", toy_store, "--split", "split.csv", "-o", "dataset")

    assert result.exit_code == 0, result.output
    assert ": 60 videos, 3 labels, 0.0 minutes; 0 videos failed" in " ".join(result.stdout.split())
    assert "labels per video  all  train  validation  test" in result.stdout
    assert result.stdout.splitlines()[-1] == "-> dataset"
    assert (tmp_path / "dataset" / "videos_per_class.png").exists()


def test_describe_dataset_prints_json_for_programs(run: Callable[..., Result], toy_store: Path) -> None:
    result = run("describe_dataset", toy_store, "--json")

    assert json.loads(result.stdout)["classes"] == {"all": {"hug": 20, "kick": 20, "wave": 20}}


def test_describe_dataset_cuts_long_tables(run: Callable[..., Result], make_store: Callable[..., Path]) -> None:
    store = make_store({f"c{index:02d}/a.mp4": np.zeros((1, 16)) for index in range(50)})

    assert "\n... and 10 more" in run("describe_dataset", store).stdout


def test_predict_videos_prints_a_csv(trained: Callable[..., Result], toy_store: Path) -> None:
    result = trained("predict_videos", "head", toy_store)

    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "id,path,labels,probability,error,probability_hug,probability_kick,probability_wave"
    assert lines[1].startswith(f"hug/00.mp4,{toy_store.parent}/videos/hug/00.mp4,hug,0.")
    assert len(lines) == 61


def test_predict_videos_writes_a_file_where_one_is_named(
    trained: Callable[..., Result], toy_store: Path, tmp_path: Path
) -> None:
    result = trained("predict_videos", "head", toy_store, "-o", "predictions.csv")

    assert result.stdout == "60 videos labelled, 0 failed -> predictions.csv\n"
    assert (tmp_path / "predictions.csv").read_text().count("\n") == 61


def test_predict_videos_prints_json_for_programs(trained: Callable[..., Result], toy_store: Path) -> None:
    result = trained("predict_videos", "head", toy_store, "--json")

    first = json.loads(result.stdout)["videos"][0]
    assert first["id"] == "hug/00.mp4"
    assert first["labels"] == ["hug"]
    assert set(first["probabilities"]) == {"hug", "kick", "wave"}


def test_predict_videos_lists_failures_and_exits_with_1(
    trained: Callable[..., Result], make_store: Callable[..., Path]
) -> None:
    failure = Failure("broken.mp4", "broken.mp4", "no_frames", "it is empty")
    store = make_store({"a.mp4": np.eye(16)[:1]}, name="other.h5", failures=[failure])

    result = trained("predict_videos", "head", store)

    assert result.exit_code == 1
    assert "  broken.mp4" in result.stderr
    assert "  no_frames: it is empty\n" in result.stderr
    assert [line[:6] for line in result.stdout.splitlines()[1:]] == ["a.mp4,", "broken"]


def test_predict_videos_refuses_a_store_of_another_encoder(
    trained: Callable[..., Result], make_store: Callable[..., Path], provenance: Provenance
) -> None:
    other = replace(provenance, encoder=replace(provenance.encoder, model="ViT-L-14"))
    store = make_store({"a.mp4": np.eye(16)[:1]}, name="other.h5", made_by=other)

    result = trained("predict_videos", "head", store)

    assert result.exit_code == 2
    assert "model is ViT-L-14, not toy-encoder" in result.stderr
    assert result.stdout == ""


def test_export_head_says_what_the_model_takes_and_gives(trained: Callable[..., Result], tmp_path: Path) -> None:
    result = trained("export_head", "head")

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("vectors (B, T, 16) and mask (B, T) -> logits and probabilities (B, 3); it takes all")
    assert lines[-1] == "-> head.onnx"
    assert (tmp_path / "head.onnx").is_file()


def test_train_head_takes_positions_where_the_head_does(run: Callable[..., Result], toy_store: Path) -> None:
    run("split_videos", toy_store)
    options = ("--split", "split.csv", "--positions", "timestamps", "--epochs", 1, "--json")

    timed, untimed = (run("train_head", toy_store, "--arch", arch, *options) for arch in ("transformer", "linear"))

    assert json.loads(timed.stdout)["config"]["positions"] == "timestamps"
    assert untimed.exit_code == 2
    assert "The linear head has no --positions. Leave it out, or choose another head." in untimed.stderr


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("split_videos", ["absent.h5"], "Error: There is no store absent.h5"),
        ("split_videos", ["embeddings.h5", "--test-size", "2"], "Error: Part sizes are 2.0 (test)"),
        (
            "split_videos",
            ["embeddings.h5", "--group-near-duplicates", "--similarity", "1.1"],
            "Error: --similarity is 1.1. Use a cosine above 0",
        ),
        (
            "split_videos",
            ["embeddings.h5", "--similarity", "0.93"],
            "Error: --similarity has no effect without --group-near-duplicates. Give both, or neither.",
        ),
        (
            "compare_heads",
            ["embeddings.h5", "--similarity", "0.93"],
            "Error: --similarity has no effect without --group-near-duplicates. Give both, or neither.",
        ),
        (
            "split_videos",
            ["embeddings.h5", "--folds", "5", "--test-size", "0.1"],
            "Error: --test-size has no effect with --folds 5: each fold tests an equal share. Leave it out.",
        ),
        (
            "split_videos",
            ["embeddings.h5", "--by-folder", "--test-size", "0.2"],
            "Error: --test-size has no effect with --by-folder: the folders say which videos test. Leave it out.",
        ),
        ("split_videos", ["embeddings.h5", "--group-by", "g"], "Error: There is no label file"),
        ("split_videos", ["embeddings.h5", "--labels", "none.csv"], "Error: none.csv cannot be read"),
        ("train_head", ["embeddings.h5", "--positions", "rotary"], "'sinusoidal', 'learned', 'timestamps'"),
        ("train_head", ["embeddings.h5"], "--split names no split file"),
        ("train_head", ["embeddings.h5", "--split", "none.csv"], "Error: none.csv cannot be read"),
        ("predict_videos", ["none", "embeddings.h5"], "Error: none holds no head.json"),
        ("predict_videos", ["none"], "Missing argument 'SOURCES...'"),
    ],
)
@pytest.mark.usefixtures("toy_store")
def test_wrong_usage_is_said_in_a_line_and_exits_with_2(
    run: Callable[..., Result], command: str, arguments: list[str], message: str
) -> None:
    result = run(command, *arguments)

    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["describe_dataset", "split_videos", "train_head", "predict_videos", "export_head"])
def test_every_option_has_help(run: Callable[..., Result], command: str) -> None:
    result = run(command, "--help")

    assert result.exit_code == 0
    assert all(option.help for option in getattr(cli, command).params if isinstance(option, click.Option))


def test_a_list_of_numbers_that_is_none_is_wrong_usage(run: Callable[..., Result], toy_store: Path) -> None:
    result = run("compare_heads", toy_store, "--mixup", "0,some")

    assert result.exit_code == 2
    assert "'0,some' is not a list of numbers such as 0,0.4." in result.stderr
