import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from sklearn.metrics import accuracy_score, f1_score

from classify import VideoClassifier, VideoSet, evaluate_head
from classify.data import load_split
from classify.errors import ClassifyError, EncoderMismatch, HeadError, LabelError
from embed import EmbeddingStore
from embed.store import Provenance, StoreWriter, VideoRecord
from tests.classify.conftest import CLASSES, DIMENSION

Run = Callable[..., Result]


def write_store(path: Path, provenance: Provenance, labels: Mapping[str, str], *, spread: float = 0.6) -> Path:
    """Write videos around the points of `toy_store`'s classes: id -> class. The name of a file is its content."""
    rng = np.random.default_rng(5)
    centres = np.eye(len(CLASSES), DIMENSION) * 3
    with StoreWriter(path, provenance) as writer:
        for video_id, name in labels.items():
            vectors = centres[CLASSES.index(name)] + spread * rng.standard_normal((4, DIMENSION))
            writer.append(VideoRecord(video_id, content_hash=video_id.rpartition("/")[2]), vectors, np.arange(4))
    return path


@pytest.fixture
def other(tmp_path: Path, provenance: Provenance) -> Path:
    """A harder store of 45 videos that no head has seen; the folder is the class."""
    ids = {f"{name}/n{number:02d}.mp4": name for name in CLASSES for number in range(15)}
    return write_store(tmp_path / "other.h5", provenance, ids)


@pytest.fixture
def head(run: Run, toy_store: Path, tmp_path: Path) -> Path:
    assert run("split_videos", toy_store, "-o", "split.csv").exit_code == 0
    assert run("train_head", toy_store, "--split", "split.csv").exit_code == 0
    return tmp_path / "head"


def test_the_figures_are_those_of_scikit_learn_on_the_predictions(head: Path, other: Path, tmp_path: Path) -> None:
    found = evaluate_head(head, other, tmp_path / "evaluation")

    with EmbeddingStore(other) as store:
        videos = [store.read(video_id).vectors for video_id in store.ids]
        truth = [CLASSES.index(video_id.split("/")[0]) for video_id in store.ids]
    classifier = VideoClassifier.load(head)
    stacked = VideoSet(tuple(map(str, truth)), np.concatenate(videos), np.array([len(rows) for rows in videos]))
    given = classifier.predict_probabilities(stacked).argmax(axis=1)
    assert 0.5 < accuracy_score(truth, given) < 1
    assert found.evaluation.metrics.micro_f1 == pytest.approx(accuracy_score(truth, given))
    assert found.evaluation.metrics.macro_f1 == pytest.approx(f1_score(truth, given, average="macro"))


def test_figures_and_interval_are_written_and_the_head_stays(head: Path, other: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in head.iterdir()}

    found = evaluate_head(head, other, tmp_path / "evaluation")

    written = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert written["videos"] == 45
    assert written["micro_f1"] == found.evaluation.metrics.micro_f1
    assert written["intervals"]["micro_f1"]["low"] < written["micro_f1"] < written["intervals"]["micro_f1"]["high"]
    assert {path.name: path.read_bytes() for path in head.iterdir()} == before


def test_the_set_that_trained_the_head_leaves_only_its_test_videos(head: Path, toy_store: Path, tmp_path: Path) -> None:
    found = evaluate_head(head, toy_store, tmp_path / "evaluation")

    report = json.loads((head / "report.json").read_text())
    assert found.evaluation.metrics.videos == report["test_videos"] == 6
    assert found.evaluation.metrics.micro_f1 == report["micro_f1"]
    assert "54 videos that the head learned from left out." in found.notes


def test_a_training_video_is_known_by_its_content_under_another_name(
    run: Run, tmp_path: Path, provenance: Provenance
) -> None:
    ids = {f"{name}/{name}{number}.mp4": name for name in CLASSES for number in range(10)}
    store = write_store(tmp_path / "first.h5", provenance, ids)
    run("split_videos", store, "-o", "split.csv")
    run("train_head", store, "--split", "split.csv", "--epochs", 1)
    moved = {f"renamed/{name}/{video_id.rpartition('/')[2]}": name for video_id, name in ids.items()}
    later = write_store(tmp_path / "later.h5", provenance, {**moved, "hug/new.mp4": "hug"})

    found = evaluate_head(tmp_path / "head", later, tmp_path / "evaluation")

    assert found.evaluation.metrics.videos == 4  # three of the test part, and the new one


def test_a_training_video_whose_content_is_unknown_is_known_by_its_id(
    run: Run, tmp_path: Path, provenance: Provenance
) -> None:
    ids = {f"{name}/{name}{number}.mp4": name for name in CLASSES for number in range(10)}
    store = write_store(tmp_path / "first.h5", provenance, ids)
    run("split_videos", store, "-o", "split.csv")
    run("train_head", store, "--split", "split.csv", "--epochs", 1)
    with StoreWriter(tmp_path / "later.h5", provenance) as writer:
        for video_id in (*ids, "hug/new.mp4"):
            writer.append(VideoRecord(video_id), np.ones((4, DIMENSION)), np.arange(4))

    found = evaluate_head(tmp_path / "head", tmp_path / "later.h5", tmp_path / "evaluation")

    assert found.evaluation.metrics.videos == 4  # three of the test part, and the new one


def test_a_store_of_videos_that_the_head_learned_from_leaves_nothing_to_measure(
    head: Path, tmp_path: Path, provenance: Provenance
) -> None:
    split, _ = load_split(head.with_name("split.csv"))
    with StoreWriter(tmp_path / "seen.h5", provenance) as writer:
        for video_id in (split.ids[row] for row in split.indices("train")):
            writer.append(VideoRecord(video_id), np.ones((4, DIMENSION)), np.arange(4))

    with pytest.raises(
        LabelError, match=r"has learned from all 48 labelled videos here, so .* a store of other videos"
    ):
        evaluate_head(head, tmp_path / "seen.h5", tmp_path / "evaluation")


def test_the_page_of_an_earlier_evaluation_goes_with_its_figures(head: Path, other: Path, tmp_path: Path) -> None:
    evaluate_head(head, other, tmp_path / "evaluation")
    (tmp_path / "evaluation" / "report.html").write_text("older figures")

    evaluate_head(head, other, tmp_path / "evaluation")

    assert [path.name for path in (tmp_path / "evaluation").iterdir()] == ["evaluation.json"]


def test_a_store_named_as_a_head_is_told(toy_store: Path, other: Path, tmp_path: Path) -> None:
    with pytest.raises(HeadError, match=r"embeddings.h5 is a file, not the folder of a head. Name the folder that"):
        evaluate_head(toy_store, other, tmp_path / "evaluation")


def test_labels_that_the_head_does_not_know_are_left_out_and_counted(
    head: Path, tmp_path: Path, provenance: Provenance
) -> None:
    store = write_store(tmp_path / "s.h5", provenance, {"hug/a1.mp4": "hug", "dance/a2.mp4": "kick"})

    found = evaluate_head(head, store, tmp_path / "evaluation")

    assert found.table.ids == ("hug/a1.mp4",)
    assert found.table.names == CLASSES
    assert (
        "The head does not know 1 label: dance. 1 video without another label left out; the head is wrong on all of "
        "them." in found.notes
    )
    assert "Labels of the head without a video here: kick, wave." in found.notes


def test_labels_of_a_file_and_its_groups_are_taken(head: Path, other: Path, tmp_path: Path) -> None:
    with EmbeddingStore(other) as store:
        rows = [f"{video_id},{'hug' if n % 2 else 'kick'},{n // 5}\n" for n, video_id in enumerate(store.ids)]
    (tmp_path / "labels.csv").write_text("id,label,trip\n" + "".join(rows))

    found = evaluate_head(head, other, tmp_path / "evaluation", labels=tmp_path / "labels.csv", group_by="trip")

    assert (found.evaluation.unit, found.evaluation.unit_count) == ("groups", 9)
    assert found.evaluation.metrics.micro_f1 < 0.6


def test_a_head_that_does_not_tell_what_it_learned_from_is_measured_with_a_warning(
    head: Path, other: Path, tmp_path: Path
) -> None:
    (head / "learned.txt").unlink()

    found = evaluate_head(head, other, tmp_path / "evaluation")

    assert any("does not tell which videos it learned from" in note for note in found.notes)


def test_nothing_is_measured_where_nothing_is_left(head: Path, tmp_path: Path, provenance: Provenance) -> None:
    store = write_store(tmp_path / "s.h5", provenance, {"dance/a.mp4": "hug"})

    with pytest.raises(LabelError, match=r"knows none of the labels here: dance\. It knows hug, kick, wave"):
        evaluate_head(head, store, tmp_path / "evaluation")
    assert not (tmp_path / "evaluation").exists()


def test_folders_that_are_no_labels_of_the_head_name_the_option_for_other_folders(
    run: Run, head: Path, tmp_path: Path, provenance: Provenance
) -> None:
    store = write_store(tmp_path / "s.h5", provenance, {"hug/take1/a.mp4": "hug", "kick/take1/b.mp4": "kick"})

    with pytest.raises(LabelError, match=r"names of the innermost folders: .* such as with --label-folder outermost"):
        evaluate_head(head, store, tmp_path / "evaluation")
    assert run("evaluate_head", head, store, "--label-folder", "outermost").exit_code == 0


def test_an_output_folder_with_other_files_is_refused_before_any_work(head: Path) -> None:
    with pytest.raises(ClassifyError, match=r"lies in .*head, an input of this command\. Name a folder outside"):
        evaluate_head(head, "no-store.h5", head)
    (head.parent / "notes").mkdir()
    (head.parent / "notes" / "mine.txt").touch()
    with pytest.raises(ClassifyError, match=r"holds 'mine\.txt', which is not part of an evaluation"):
        evaluate_head(head, "no-store.h5", head.parent / "notes")


def test_other_vectors_and_other_folders_are_refused(head: Path, tmp_path: Path, provenance: Provenance) -> None:
    sampled = replace(provenance, sampling={"name": "uniform", "count": 5})
    store = write_store(tmp_path / "s.h5", sampled, {"hug/a.mp4": "hug"})

    with pytest.raises(EncoderMismatch, match="Embed these videos with the head's own encoder"):
        evaluate_head(head, store, tmp_path / "evaluation")
    (tmp_path / "empty").mkdir()
    with pytest.raises(HeadError, match=r"holds no head\.json"):
        evaluate_head(tmp_path / "empty", store, tmp_path / "evaluation")


def test_several_labels_are_measured_with_the_thresholds_of_the_head(
    run: Run, tmp_path: Path, provenance: Provenance
) -> None:
    ids = {f"{number:02d}.mp4": CLASSES[number % 3] for number in range(60)}
    store = write_store(tmp_path / "first.h5", provenance, ids, spread=0.3)
    rows = [f"{video_id},{name}|all\n" for video_id, name in ids.items()]
    (tmp_path / "labels.csv").write_text("id,labels\n" + "".join(rows))
    run("split_videos", store, "--labels", "labels.csv", "-o", "split.csv")
    run("train_head", store, "--split", "split.csv", "--epochs", 100, "--mixup", 0)
    more = {f"x{number:02d}.mp4": CLASSES[number % 3] for number in range(12)}
    later = write_store(tmp_path / "later.h5", provenance, more, spread=0.3)
    (tmp_path / "later.csv").write_text("id,labels\n" + "".join(f"{v},{name}|all|odd\n" for v, name in more.items()))

    found = evaluate_head(tmp_path / "head", later, tmp_path / "evaluation", labels=tmp_path / "later.csv")

    assert found.evaluation.metrics.videos == 12
    assert found.evaluation.metrics.micro_f1 > 0.9


def test_the_command_prints_figures_and_writes_a_page(run: Run, head: Path, other: Path, tmp_path: Path) -> None:
    result = run("evaluate_head", head, other, "--html")

    assert result.exit_code == 0, result.output
    assert "on 45 test videos" in result.stdout
    page = (tmp_path / "evaluation" / "report.html").read_text()
    assert "evaluation report</title>" in page
    assert "Most confident mistakes" in page
    assert "<script" not in page
    assert "trained in" not in page


def test_the_command_writes_json_for_programs(run: Run, head: Path, other: Path) -> None:
    result = run("evaluate_head", head, other, "--json")

    assert json.loads(result.stdout)["videos"] == 45
