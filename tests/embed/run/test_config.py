import re
from typing import Any

import pytest

from embed import Clips, EmbedConfig, KeyFrames, Sampling, UniformFrames


@pytest.mark.parametrize("sampling", ["uniform", 100, UniformFrames])
def test_a_sampling_that_picks_no_frames_is_refused_with_those_that_do(sampling: object) -> None:
    with pytest.raises(ValueError, match=re.escape(f"sampling is {sampling!r}, which is no rule") + ".*UniformFrames"):
        EmbedConfig(sampling=sampling)


@pytest.mark.parametrize(
    ("model", "sampling"),
    [
        ("ViT-B-32", UniformFrames()),
        ("mvit_v2_s", Clips(16, "auto", 8)),
        ("vjepa2:facebook/vjepa2-vitl-fpc64-256", Clips(64, "auto", 8)),
    ],
)
def test_a_model_of_clips_gets_clips_unless_told_otherwise(model: str, sampling: Sampling) -> None:
    assert EmbedConfig(model=model).sampling == sampling


@pytest.mark.parametrize(("name", "value"), [("decoder", "ffmpeg"), ("decode_device", "gpu")])
def test_an_unknown_decoder_or_device_is_refused_with_the_known_ones(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} is '{value}'\. Use one of (pyav, opencv|cpu, cuda)"):
        EmbedConfig(**{name: value})


@pytest.mark.parametrize("value", ["3", 1.5, float("nan"), None, True, 0])
@pytest.mark.parametrize("rule", [UniformFrames, KeyFrames])
def test_a_frame_count_that_is_no_count_is_refused_when_the_rule_is_made(rule: Any, value: object) -> None:
    with pytest.raises(ValueError, match=rf"frame_count must be a whole number of at least 1, got {value!r}"):
        rule(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", "3"),
        ("batch_size", 1.5),
        ("workers", "2"),
        ("workers", 1.5),
        ("limits", None),
        ("views", None),
        ("views", "centre"),
    ],
)
def test_a_setting_of_another_type_is_refused_when_the_configuration_is_made(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be .*, got {value!r}"):
        EmbedConfig(**{name: value})
