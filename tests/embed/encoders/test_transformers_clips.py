"""Clip encoders of transformers against transformers itself: pixels, vectors, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from embed.encoders import foresee_window, load_encoder
from embed.encoders.cutting import cut_tail, stop_before
from embed.encoders.testing import check_batch_independence, check_frames_differ, check_is_found_again, check_parts
from embed.encoders.transformers_clips import build, outline
from embed.errors import EncoderError, WeightsUnavailable
from tests.embed.encoders.transformers_models import WINDOW, save_model

library = pytest.importorskip("transformers")

KINDS = {
    "videomae": "videomae",
    "videomae-pretraining": "videomae",
    "videomae-classifier": "videomae",
    "vjepa2": "vjepa2",
    "vjepa2-classifier": "vjepa2",
    "videoprism": "videoprism",
    "videoprism-classifier": "videoprism",
    "videoprism-text": "videoprism",
    "pe-av": "pe-av",
    "pe-av-audio": "pe-av",
}
"""Kind of checkpoint -> what stands before the colon."""

every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folders: dict[str, Path] = {}

    def of(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = save_model(kind, tmp_path_factory.mktemp(kind))
        return folders[kind]

    return of


def window_of(kind: str) -> int:
    return 6 if kind.startswith("pe-av") else WINDOW


def load(kind: str, folder: Path, **options: Any) -> Any:
    options = {"window": window_of(kind), **options}
    return load_encoder(f"{KINDS[kind]}:{folder}", device="cpu", **options)


def clip(count: int, height_px: int, width_px: int) -> NDArray[np.uint8]:
    """Return (count, H, W_px, 3) frames of smooth random colours."""
    rng = np.random.default_rng(height_px)
    coarse = rng.integers(0, 256, (count, height_px // 8 + 1, width_px // 8 + 1, 3), dtype=np.uint8)
    resized = [Image.fromarray(frame).resize((width_px, height_px), Image.Resampling.BICUBIC) for frame in coarse]
    return np.stack([np.asarray(frame) for frame in resized])


def prepared(folder: Path, frames: NDArray[np.uint8]) -> torch.Tensor:
    """Return (1, W, 3, side, side), as the checkpoint's own processor prepares a clip."""
    processor = library.AutoVideoProcessor.from_pretrained(folder)
    found = processor(torch.from_numpy(frames).permute(0, 3, 1, 2), return_tensors="pt", do_sample_frames=False)
    pixels: torch.Tensor = next(iter(found.values()))
    return pixels


def probed(kind: str, folder: Path, pixels: torch.Tensor) -> torch.Tensor:
    """Return the (1, D) vector of prepared pixels, written down apart from the encoder."""
    if kind in ("videomae", "videomae-pretraining"):
        return library.VideoMAEModel.from_pretrained(folder).eval()(pixels).last_hidden_state.mean(1)
    if kind == "videomae-classifier":
        model = library.VideoMAEForVideoClassification.from_pretrained(folder).eval()
        return model.fc_norm(model.videomae(pixels).last_hidden_state.mean(1))
    if kind == "vjepa2-classifier":
        model = library.VJEPA2ForVideoClassification.from_pretrained(folder).eval()
        return model.pooler(model.vjepa2.get_vision_features(pixels))
    if kind == "videoprism-classifier":
        model = library.VideoPrismForVideoClassification.from_pretrained(folder).eval()
        return model.head_layernorm(model.head(model.vision_model(pixels).last_hidden_state)[0])[:, 0]
    if kind == "vjepa2":
        return library.VJEPA2Model.from_pretrained(folder).eval().get_vision_features(pixels).mean(1)
    if kind == "videoprism":
        return library.VideoPrismVisionModel.from_pretrained(folder).eval()(pixels).last_hidden_state.mean(1)
    if kind == "videoprism-text":
        return library.VideoPrismClipModel.from_pretrained(folder).eval().get_video_features(pixels).pooler_output[:, 0]
    if kind == "pe-av-audio":
        model = library.PeAudioVideoModel.from_pretrained(folder).video_model.eval()
    else:
        model = library.PeVideoModel.from_pretrained(folder).eval()
    return model.video_head(model.video_encoder(pixels).pooler_output)


@every_kind
@pytest.mark.parametrize("size", [(60, 107), (107, 60), (41, 41)], ids=str)
def test_pixels_and_vectors_are_those_of_the_library(
    kind: str, size: tuple[int, int], checkpoint: Callable[[str], Path]
) -> None:
    folder, frames = checkpoint(kind), clip(window_of(kind), *size)
    encoder = load(kind, folder)
    theirs = prepared(folder, frames)
    preprocessing = encoder.identity.preprocessing

    ours = np.stack([preprocessing.apply(frame) for frame in frames])

    mean, std = (torch.tensor(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    levels = (theirs[0] * std + mean) * 255
    assert (levels - torch.from_numpy(ours).permute(0, 3, 1, 2)).abs().max() < 1.01  # one grey level
    with torch.inference_mode():
        vector = probed(kind, folder, theirs)[0].numpy()
    found = encoder.encode(ours[None])[0]
    assert np.dot(found, vector) / np.linalg.norm(found) / np.linalg.norm(vector) >= 0.9999


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("vjepa2")])  # which resizes every frame
def test_vectors_are_exact_where_pixels_are(kind: str, checkpoint: Callable[[str], Path]) -> None:
    folder = checkpoint(kind)
    encoder = load(kind, folder)
    side_px = encoder.identity.preprocessing.side_px
    frames = clip(window_of(kind), side_px, side_px)

    with torch.inference_mode():
        vector = probed(kind, folder, prepared(folder, frames))[0].numpy()

    np.testing.assert_allclose(encoder.encode(frames[None])[0], vector, atol=2e-5)


@every_kind
def test_the_contract_of_encoders_is_kept(kind: str, checkpoint: Callable[[str], Path]) -> None:
    encoder = load(kind, checkpoint(kind))

    for check in (check_parts, check_frames_differ, check_batch_independence, check_is_found_again):
        check(encoder)
    assert encoder.identity.window == window_of(kind)


def test_a_large_frame_with_an_odd_margin_is_cropped_where_the_library_crops_it(
    checkpoint: Callable[[str], Path],
) -> None:
    folder = checkpoint("vjepa2")
    preprocessing = load("vjepa2", folder).identity.preprocessing
    frames = clip(1, 108, 190)  # 36 x 63 after the resize, of which 32 x 32 are kept

    theirs = prepared(folder, frames)[0, 0]

    mean, std = (torch.tensor(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    ours = torch.from_numpy(preprocessing.apply(frames[0])).permute(2, 0, 1)
    assert preprocessing.resized_size(190, 108) == (63, 36)
    assert ((theirs * std + mean) * 255 - ours).abs().max() < 1.01


@pytest.mark.parametrize(("kind", "window"), [("videomae", 8), ("videomae", 2), ("vjepa2", 5)])
def test_clips_of_another_length_are_refused_with_the_own_one(
    kind: str, window: int, checkpoint: Callable[[str], Path]
) -> None:
    with pytest.raises(EncoderError, match=rf"not {window}.*Use --clip-frames 4"):
        load(kind, checkpoint(kind), window=window)


def test_vjepa2_takes_longer_clips(checkpoint: Callable[[str], Path]) -> None:
    assert load("vjepa2", checkpoint("vjepa2"), window=8).identity.window == 8


@every_kind
def test_the_length_of_clips_is_known_before_anything_heavy_is_loaded(
    kind: str, checkpoint: Callable[[str], Path]
) -> None:
    assert foresee_window(f"{KINDS[kind]}:{checkpoint(kind)}") == (16 if kind.startswith("pe-av") else WINDOW)
    assert foresee_window(f"{KINDS[kind]}:some/name") in (16, 64)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("videomae", "encoder.layer.1"),
        ("videomae-classifier", "videomae.encoder.layer.1"),
        ("vjepa2", "encoder.layer.1"),
        ("videoprism", "temporal_layers.0"),
    ],
)
def test_what_enters_the_last_layers_gives_the_same_vector(
    kind: str, path: str, checkpoint: Callable[[str], Path]
) -> None:
    name = f"{KINDS[kind]}:{checkpoint(kind)}"
    whole, stopped, rest = build(name), stop_before(build(name), path), cut_tail(build(name), path)
    pixels = torch.rand(2, 3, WINDOW, *(2 * [whole.identity.preprocessing.side_px]))

    with torch.inference_mode():
        expected = whole.forward(pixels)
        found = rest(stopped.forward(pixels))
        outlined = outline(whole.identity, json.loads(json.dumps(whole.architecture))).forward(pixels)

    torch.testing.assert_close(found, expected)
    assert outlined.shape == expected.shape


def test_a_checkpoint_of_another_family_is_refused_with_what_it_is(checkpoint: Callable[[str], Path]) -> None:
    with pytest.raises(EncoderError, match=r"of vjepa2 \(VJEPA2Model\), not of videomae. Use --model vjepa2:"):
        load_encoder(f"videomae:{checkpoint('vjepa2')}", device="cpu")


def test_weights_that_would_be_made_up_are_refused(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint("videomae"), tmp_path / "more")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))

    with pytest.raises(
        WeightsUnavailable, match=r"lacks 15 tensors of VideoMAEModel: encoder.layer.2.*and 12 more. They would"
    ):
        load_encoder(f"videomae:{folder}", device="cpu")


def test_a_processor_of_its_own_is_honoured(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint("videomae"), tmp_path / "other")
    library.VideoMAEVideoProcessor(
        size={"height": 32, "width": 32}, do_center_crop=False, do_normalize=False, resample=3
    ).save_pretrained(folder)

    found = load_encoder(f"videomae:{folder}", device="cpu").identity.preprocessing

    assert (found.resize_mode, found.resize_px, found.kernel, found.std) == ("squash", 32, "bicubic", (1.0, 1.0, 1.0))


def test_frames_that_are_not_square_are_refused(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint("videomae"), tmp_path / "wide")
    library.VideoMAEVideoProcessor(size={"height": 32, "width": 48}, do_center_crop=False).save_pretrained(folder)

    with pytest.raises(EncoderError, match=r"asks for frames of 32 x 48 pixels, which are not square. Here frames"):
        load_encoder(f"videomae:{folder}", device="cpu")


def test_a_name_of_the_hub_that_is_not_to_be_had_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(
        WeightsUnavailable, match=r"of vjepa2:a/b are not available.*HF_HUB_OFFLINE.*--model vjepa2:FOLDER"
    ):
        load_encoder("vjepa2:a/b", device="cpu")


def test_int8_is_refused_with_what_is_possible(checkpoint: Callable[[str], Path]) -> None:
    with pytest.raises(EncoderError, match=r"has no int8 form.*--precision float32 or bfloat16"):
        load("videomae", checkpoint("videomae"), precision="int8")
