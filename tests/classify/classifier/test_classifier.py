import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from classify.classifier.classifier import VideoClassifier
from classify.errors import ClassifyError, EncoderMismatch, HeadError
from classify.heads.registry import build_head, list_heads
from classify.training.batches import LabelledSet, VideoSet
from classify.training.recipe import TrainConfig
from classify.training.training import fit_head
from embed import Provenance
from tests.classify.conftest import logits_of

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def make_classifier(provenance: Provenance) -> Callable[..., VideoClassifier]:
    def make(arch: str = "linear", thresholds: tuple[float, ...] | None = None) -> VideoClassifier:
        head = build_head(arch, 16, 3).eval()
        return VideoClassifier(head, ("hug", "kick", "wave"), thresholds, provenance, TrainConfig(arch=arch))

    return make


@pytest.fixture
def folder(make_classifier: Callable[..., VideoClassifier], tmp_path: Path) -> Path:
    make_classifier().save(tmp_path / "head")
    return tmp_path / "head"


@pytest.mark.usefixtures("small_heads")
@pytest.mark.parametrize("arch", list_heads())
@pytest.mark.parametrize("mixup", [0.0, 0.4], ids=["plain", "mixup"])
@pytest.mark.parametrize("thresholds", [None, (0.5, 0.25, 0.5)], ids=["single-label", "multi-label"])
def test_a_loaded_head_gives_the_same_logits_and_probabilities(
    separable: LabelledSet,
    provenance: Provenance,
    tmp_path: Path,
    arch: str,
    mixup: float,
    thresholds: tuple[float, ...] | None,
) -> None:
    config, nobody = TrainConfig(arch=arch, mixup=mixup, epochs=1), np.array([], dtype=np.int64)
    trained = fit_head(separable, np.arange(48), nobody, config).head
    saved = VideoClassifier(trained, ("hug", "kick", "wave"), thresholds, provenance, config)
    saved.save(tmp_path / "head")

    loaded = VideoClassifier.load(tmp_path / "head")

    assert replace(loaded, head=saved.head) == saved
    assert torch.equal(logits_of(loaded.head, separable.videos), logits_of(trained, separable.videos))
    np.testing.assert_array_equal(
        loaded.predict_probabilities(separable.videos), saved.predict_probabilities(separable.videos)
    )


def test_no_videos_have_no_probabilities(make_classifier: Callable[..., VideoClassifier]) -> None:
    nobody = VideoSet((), np.zeros((0, 16), dtype=np.float16), np.array([], dtype=np.int64))

    assert make_classifier().predict_probabilities(nobody).shape == (0, 3)


@pytest.mark.parametrize("thresholds", [None, (0.5, 0.5, 0.5)], ids=["single-label", "multi-label"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("view_count", [1, 2])
def test_a_video_whose_vectors_are_no_numbers_is_named(
    make_classifier: Callable[..., VideoClassifier],
    thresholds: tuple[float, ...] | None,
    value: float,
    view_count: int,
) -> None:
    vectors = np.random.default_rng(0).normal(size=(12, 16)).astype(np.float32)
    vectors[5, 3] = value
    videos = VideoSet(("hug.mp4", "kick.mp4", "wave.mp4"), vectors, np.full(3, 4), view_count)

    with pytest.raises(ClassifyError, match=r"no finite logits for the video 'kick\.mp4'.*Embed the video again"):
        make_classifier(thresholds=thresholds).predict_probabilities(videos)


def test_a_head_folder_holds_readable_files_only(folder: Path) -> None:
    description = json.loads((folder / "head.json").read_text())

    assert sorted(path.name for path in folder.iterdir()) == ["head.json", "head.safetensors"]
    assert description["label_names"] == ["hug", "kick", "wave"]
    assert description["provenance"]["encoder"]["model"] == "toy-encoder"
    assert "torch" in description["versions"]


def test_a_saved_head_replaces_an_older_one(make_classifier: Callable[..., VideoClassifier], folder: Path) -> None:
    make_classifier("random-frame").save(folder, reports={"report.json": "{}\n"})

    assert VideoClassifier.load(folder).config.arch == "random-frame"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["head"]


def test_a_saved_head_leaves_no_report_of_an_older_one(
    make_classifier: Callable[..., VideoClassifier], folder: Path
) -> None:
    make_classifier().save(folder, reports={"report.json": "{}\n"})

    make_classifier().save(folder)

    assert sorted(path.name for path in folder.iterdir()) == ["head.json", "head.safetensors"]


def test_a_folder_that_is_there_is_filled_since_a_mounted_one_cannot_be_renamed(
    make_classifier: Callable[..., VideoClassifier], folder: Path
) -> None:
    before = folder.stat().st_ino

    make_classifier().save(folder)

    assert folder.stat().st_ino == before


def test_a_head_that_the_disk_does_not_take_leaves_the_older_one(
    make_classifier: Callable[..., VideoClassifier], folder: Path
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # as a full disk: no file may grow longer
    try:
        with pytest.raises(HeadError, match=r"head cannot be written: File too large\. "):
            make_classifier("random-frame").save(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert VideoClassifier.load(folder).config.arch == "linear"
    assert sorted(path.name for path in folder.iterdir()) == ["head.json", "head.safetensors"]


def test_a_folder_with_other_files_is_not_replaced(
    make_classifier: Callable[..., VideoClassifier], folder: Path
) -> None:
    (folder / "thesis.txt").write_text("years of work")

    with pytest.raises(HeadError, match=r"holds 'thesis.txt', which is not part of a head.*Name another folder"):
        make_classifier().save(folder)

    assert (folder / "thesis.txt").read_text() == "years of work"


def test_what_a_killed_save_has_left_is_no_foreign_file(
    make_classifier: Callable[..., VideoClassifier], folder: Path
) -> None:
    (folder / ".new-99999999").mkdir()

    make_classifier("random-frame").save(folder)

    assert VideoClassifier.load(folder).config.arch == "random-frame"


def test_of_two_saves_at_once_both_end_and_one_head_is_there(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom classify.classifier.head_folder import fill_folder\n"
        "for number in range(40):\n"
        "    fill_folder(Path(sys.argv[1]), dict.fromkeys(('history.csv', 'head.json'), f'{sys.argv[2]} {number}'))"
    )
    words = [sys.executable, "-c", script, str(tmp_path / "head")]

    saves = [subprocess.Popen([*words, name]) for name in "ab"]

    assert [save.wait(60) for save in saves] == [0, 0]
    assert len({path.read_text() for path in (tmp_path / "head").iterdir()}) == 1


def test_a_file_is_not_replaced(make_classifier: Callable[..., VideoClassifier], tmp_path: Path) -> None:
    (tmp_path / "head").write_text("not a folder")

    with pytest.raises(HeadError, match=r"is a file. Name a folder"):
        make_classifier().save(tmp_path / "head")


def test_a_store_made_otherwise_is_refused_with_the_difference(
    make_classifier: Callable[..., VideoClassifier], provenance: Provenance
) -> None:
    other = replace(provenance, encoder=replace(provenance.encoder, model="ViT-L-14", dimension=768))

    with pytest.raises(EncoderMismatch, match=r"other.h5 .*its model is ViT-L-14, not toy-encoder.*or train a head"):
        make_classifier().check(other, "other.h5")


def test_a_store_made_by_another_version_of_a_library_is_taken(
    make_classifier: Callable[..., VideoClassifier], provenance: Provenance
) -> None:
    make_classifier().check(replace(provenance, versions={"av": "99"}), "store.h5")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.update(format="framehead head 9"), r"format 'framehead head 9'; this version reads"),
        (lambda d: d.pop("format"), r"has the format None"),
        (lambda d: d.pop("provenance"), r"does not describe a head: KeyError: 'provenance'"),
        (lambda d: d.update(provenance=[1]), r"does not describe a head: TypeError"),
        (lambda d: d["config"].update(epochs=-1), r"does not describe a head: TrainError: epochs is -1"),
        (lambda d: d["config"].update(epochs="many"), r"does not describe a head: TypeError"),
        (lambda d: d["config"].update(arch="evil"), r"no head called 'evil'.*Choose one of"),
        (lambda d: d["config"].update(exec="rm"), r"does not describe a head: TypeError"),
        (lambda d: d["provenance"]["encoder"].update(dimension=10**12), r"not those of a linear head for 10{12} dim"),
        (lambda d: d["provenance"]["encoder"].update(dimension="16"), r"does not describe a head: TypeError"),
        (lambda d: d["provenance"]["encoder"].update(dimension=-1), r"describe a head: ValueError: vectors of -1 dim"),
        (lambda d: d["provenance"]["encoder"].update(dimension=0), r"describe a head: ValueError: vectors of 0 dim"),
        (lambda d: d.update(label_names=["hug", "hug", "kick"]), r"ValueError: the label 'hug' is there twice"),
        (lambda d: d.update(label_names=["\ud800", "hug", "kick"]), r"describe a head: UnicodeEncodeError"),
        (lambda d: d.update(label_names=["a|b", "hug", "kick"]), r"ValueError: no label can be called 'a\|b'"),
        (lambda d: d.update(label_names=["a\0", "hug", "kick"]), r"ValueError: no label can be called 'a\\x00'"),
        (lambda d: d.update(label_names=[" ", "hug", "kick"]), r"ValueError: no label can be called ' '"),
        (lambda d: d.update(label_names=["hug"]), r"for 16 dimensions and 1 labels. Train the head again"),
        (lambda d: d.update(label_names=3), r"does not describe a head: TypeError"),
        (lambda d: d.update(thresholds=[0.5, float("nan"), 0.5]), r"ValueError: a threshold is no number"),
        (lambda d: d.update(temperature=float("inf")), r"ValueError: the temperature inf"),
        (lambda d: d.update(thresholds=[0.5]), r"ValueError: 1 thresholds for 3 labels. Train the head again"),
        (lambda d: d.update(weights_sha256="0" * 64), r"not the file that head.json describes. Train"),
    ],
)
def test_a_description_that_was_tampered_with_is_refused(folder: Path, edit: Edit, message: str) -> None:
    path = folder / "head.json"
    description = json.loads(path.read_text())
    edit(description)
    path.write_text(json.dumps(description))

    with pytest.raises(HeadError, match=message):
        VideoClassifier.load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{" * 5, "[" * 100_000, "\x00\xff"], ids=["", "list", "cut", "deep", "bin"])
def test_a_description_that_is_no_object_is_refused(folder: Path, text: str) -> None:
    (folder / "head.json").write_text(text, encoding="latin-1")

    with pytest.raises(HeadError, match=r"head.json (cannot be read as JSON|has the format None).*Train"):
        VideoClassifier.load(folder)


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\xff" * 64], ids=["empty", "pickle", "huge-header"])
def test_weights_that_are_no_tensors_are_refused(folder: Path, content: bytes) -> None:
    (folder / "head.safetensors").write_bytes(content)

    with pytest.raises(HeadError, match=r"head.safetensors cannot be read.*Train the head again"):
        VideoClassifier.load(folder)


def test_weights_of_another_head_are_refused(folder: Path) -> None:
    (folder / "head.safetensors").write_bytes(safetensors.torch.save({"linear.weight": torch.zeros(3, 16)}))

    with pytest.raises(HeadError, match=r"not the file that head.json describes"):
        VideoClassifier.load(folder)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("head.json", r"holds no head.json, so it is not a head. Make one"),
        ("head.safetensors", r"cannot be read: .*No such"),
    ],
)
def test_an_incomplete_folder_is_refused(folder: Path, missing: str, message: str) -> None:
    (folder / missing).unlink()

    with pytest.raises(HeadError, match=message):
        VideoClassifier.load(folder)
