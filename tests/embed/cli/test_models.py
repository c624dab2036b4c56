"""`embed-videos --list-models`, and the licence that is shown when weights are loaded."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from embed.cli import embed_videos
from embed.encoders import ENCODERS
from tests.media import write_video


def test_the_table_names_every_known_encoder_with_its_licence_and_needs_no_source() -> None:
    result = CliRunner().invoke(embed_videos, ["--list-models"])

    lines = [line.split() for line in result.stdout.splitlines() if line]
    assert result.exit_code == 0
    for known in ENCODERS:
        assert any(line[0] == known.model and line[-1] == known.licence.split()[-1] for line in lines)
    assert max(map(len, result.stdout.splitlines())) <= 88


def test_the_table_loads_nothing_heavy() -> None:
    code = "import sys; from embed.cli.models import models_text; models_text(); print([*sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert not {"torch", "timm", "open_clip", "torchvision", "transformers"} & set(printed.replace("'", "").split(", "))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--model", "efficientnet-lite0"), "Weights of efficientnet-lite0 (bundled), licence: Apache-2.0"),
        (("--model", "PE-Core-B-16"), "Weights of PE-Core-B-16 (meta), licence: Apache-2.0"),
        (("--model", "RN50", "--pretrained", "openai"), "Weights of RN50 (openai), licence: unknown: see the card"),
    ],
)
def test_the_licence_is_shown_before_weights_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    write_video(tmp_path / "a.mp4", 2)

    result = CliRunner().invoke(embed_videos, [str(tmp_path / "a.mp4"), "-o", str(tmp_path / "e.h5"), *options])

    assert said in result.stderr


def test_a_file_of_a_model_with_two_activations_is_told_what_it_is_taken_for(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 2)
    (tmp_path / "clip.pt").write_bytes(b"")
    options = ["-o", str(tmp_path / "e.h5"), "--model", "ViT-B-32", "--pretrained", str(tmp_path / "clip.pt")]

    said = " ".join(CliRunner().invoke(embed_videos, [str(tmp_path / "a.mp4"), *options]).stderr.split())

    assert "A file is taken for weights of ViT-B-32 that were trained with GELU. openai, " in said
    assert "use --model ViT-B-32-quickgelu" in said
