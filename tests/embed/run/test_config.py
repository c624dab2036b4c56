import re

import pytest

from embed import EmbedConfig, UniformFrames


@pytest.mark.parametrize("sampling", ["uniform", 100, None, UniformFrames])
def test_a_sampling_that_picks_no_frames_is_refused_with_those_that_do(sampling: object) -> None:
    with pytest.raises(ValueError, match=re.escape(f"sampling is {sampling!r}, which is no rule") + ".*UniformFrames"):
        EmbedConfig(sampling=sampling)


@pytest.mark.parametrize(("name", "value"), [("decoder", "ffmpeg"), ("decode_device", "gpu")])
def test_an_unknown_decoder_or_device_is_refused_with_the_known_ones(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} is '{value}'\. Use one of (pyav, opencv|cpu, cuda)"):
        EmbedConfig(**{name: value})
