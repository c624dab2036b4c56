"""Where checkpoints of transformers are looked for, and what is refused before anything is encoded."""

import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from embed.encoders.clip_families import CLIP_FAMILIES
from embed.encoders.foreseen import foresee_window
from embed.encoders.testing import frames_for
from embed.encoders.transformers_clips import build, load
from embed.errors import EncoderError, WeightsUnavailable
from tests.embed.encoders.transformers_models import save_model

pytest.importorskip("transformers")

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def videomae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model("videomae", tmp_path_factory.mktemp("videomae"))


@pytest.fixture(scope="module")
def vjepa2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model("vjepa2", tmp_path_factory.mktemp("vjepa2"))


@pytest.fixture
def copied(videomae: Path, tmp_path: Path) -> Path:
    return shutil.copytree(videomae, tmp_path / "copied")


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change_tensors(folder: Path, *, without: str = "", add: float = 0) -> None:
    tensors = load_file(folder / "model.safetensors")
    kept = {name: t + add for name, t in tensors.items() if not without or not name.startswith(without)}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def test_a_folder_that_has_moved_is_found_by_pretrained(videomae: Path, copied: Path) -> None:
    identity = build(f"videomae:{videomae}").identity
    moved = build("videomae:gone/checkpoint", pretrained=str(copied)).identity
    assert moved.weights_sha256 == identity.weights_sha256
    assert moved.pretrained == str(copied)


def test_a_relative_folder_is_kept_as_a_whole_path(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copied.parent)
    assert build("videomae:copied").identity.pretrained == str(copied)


def test_changed_weights_have_another_hash(videomae: Path, copied: Path) -> None:
    change_tensors(copied, add=0.01)
    hashes = {build(f"videomae:{folder}").identity.weights_sha256 for folder in (videomae, copied)}
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("model", "pretrained", "message"),
    [
        pytest.param("videomae:./gone", None, r"There is no folder './gone'. Name a folder .* MCG-NJU/", id="path"),
        pytest.param("vjepa2:", None, r"There is no folder ''\. Name a folder .* facebook/vjepa2", id="no name"),
        pytest.param("videomae:a/b", "/gone/folder", r"There is no folder '/gone/folder'\.", id="pretrained"),
    ],
)
def test_a_folder_that_is_not_there_is_told(model: str, pretrained: str | None, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        build(model, pretrained=pretrained)


def test_a_revision_is_refused_with_a_folder(videomae: Path) -> None:
    with pytest.raises(EncoderError, match=r"There is no folder main\. Leave out --pretrained to use "):
        build(f"videomae:{videomae}", pretrained="main")


def test_a_file_of_weights_is_refused_with_what_is_needed(videomae: Path) -> None:
    with pytest.raises(EncoderError, match=r"is a file, but checkpoints of videomae are folders.*Name the folder\."):
        build(f"videomae:{videomae / 'model.safetensors'}")


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"has no config\.json of transformers.*videomae:MCG-NJU/videomae-base"):
        build(f"videomae:{tmp_path}")


def test_a_model_of_images_is_refused_with_what_it_is(copied: Path) -> None:
    change_config(copied, model_type="vit", architectures=["ViTModel"])
    with pytest.raises(EncoderError, match=r"is a checkpoint of vit \(ViTModel\), not of videomae.*--model timm:NAME"):
        build(f"videomae:{copied}")


@pytest.mark.parametrize("damage", ["gone", "cut", "of another shape"])
def test_weights_that_cannot_be_read_are_told(damage: str, copied: Path) -> None:
    path = copied / "model.safetensors"
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        change_config(copied, intermediate_size=48)
    with pytest.raises(WeightsUnavailable, match=r"cannot be loaded as VideoMAEModel: [^\n]*\. Download the folder"):
        build(f"videomae:{copied}")


def test_tensors_that_are_not_used_may_be_missing(vjepa2: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(vjepa2, tmp_path / "encoder")
    change_tensors(folder, without="predictor.")
    hashes = {build(f"vjepa2:{one}").identity.weights_sha256 for one in (vjepa2, folder)}
    assert len(hashes) == 1


def test_frames_of_another_size_than_the_models_are_refused(vjepa2: Path, tmp_path: Path) -> None:
    """V-JEPA 2 computes the place of a token from its own crop: with other frames it would be wrong in silence."""
    folder = shutil.copytree(vjepa2, tmp_path / "larger")
    values = {"video_processor_type": "VJEPA2VideoProcessor", "crop_size": 64}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(values))
    with pytest.raises(EncoderError, match=r"takes frames of 32 pixels, but its processor gives 64 x 64"):
        build(f"vjepa2:{folder}")


def test_pe_av_takes_the_frames_that_its_processor_names(tmp_path: Path) -> None:
    folder = save_model("pe-av", tmp_path)
    path = folder / "video_preprocessor_config.json"
    path = path if path.is_file() else folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "num_frames": 5}))
    assert build(f"pe-av:{folder}").identity.window == foresee_window(f"pe-av:{folder}") == 5
    with pytest.raises(EncoderError, match=r"takes clips of 5 frames, not 6: it was trained on these"):
        build(f"pe-av:{folder}", window=6)


def test_videoprism_takes_longer_clips_by_interpolating_its_positions(tmp_path: Path) -> None:
    folder = save_model("videoprism", tmp_path)
    usual, longer = (load(f"videoprism:{folder}", device="cpu", window=window) for window in (4, 8))
    rgb = frames_for(usual, 1)
    twice = np.repeat(rgb, 2, axis=1)  # the same movement at half the speed
    a, b = usual.encode(rgb)[0], longer.encode(twice)[0]
    assert float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) > 0.95


@pytest.fixture
def cache(videomae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a checkpoint into a cache of the hub, as a download leaves it, and be offline."""
    root = tmp_path / "hub/models--someone--clips"
    shutil.copytree(videomae, root / "snapshots" / COMMIT)
    (root / "refs").mkdir()
    (root / "refs/main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return root


@pytest.mark.usefixtures("cache")
def test_a_hub_name_is_kept_with_its_commit_which_finds_the_same_weights_again() -> None:
    found = build("videomae:someone/clips").identity
    assert found.pretrained == COMMIT
    assert build(found.model, pretrained=found.weights_source).identity == found


@pytest.mark.usefixtures("cache")
def test_a_revision_that_is_not_in_the_cache_is_told_with_how_to_get_it() -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        build("videomae:someone/clips", pretrained="f" * 40)
    assert str(caught.value) == (
        "The weights of videomae:someone/clips are not available: they are not in the cache of this machine, and "
        "HF_HUB_OFFLINE is set (unset it to download). Download them on another machine with hf download "
        "someone/clips --local-dir FOLDER, and use --model videomae:FOLDER."
    )


def test_transformers_that_is_not_installed_is_told(videomae: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(EncoderError, match=r"needs transformers, which is not installed.*'\.\[transformers\]'"):
        build(f"videomae:{videomae}")


def test_loading_writes_nothing_and_leaves_the_log_as_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from transformers.utils import logging as told

    folder = save_model("videomae-pretraining", tmp_path)  # its decoder is told as unexpected
    capfd.readouterr()
    before = told.get_verbosity(), told.is_progress_bar_enabled()
    with caplog.at_level(logging.WARNING):
        build(f"videomae:{folder}")
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert (told.get_verbosity(), told.is_progress_bar_enabled()) == before


def test_code_in_a_checkpoint_is_not_run(copied: Path) -> None:
    change_config(copied, auto_map={"AutoModel": "evil.Evil", "AutoVideoProcessor": "evil.Evil"})
    (copied / "evil.py").write_text(f"open({str(copied / 'ran')!r}, 'w')\nclass Evil: pass\n")
    build(f"videomae:{copied}")
    assert not (copied / "ran").exists()


@pytest.mark.parametrize("prefix", CLIP_FAMILIES)
def test_each_family_says_a_checkpoint(prefix: str) -> None:
    family = CLIP_FAMILIES[prefix]
    assert foresee_window(f"{prefix}:{family.example}") == family.window
