"""A clip model of transformers -> its parts: the network that gives vectors of clips, and its text tower.

transformers takes pixels as (B, W, 3, side_px, side_px); here they come as (B, 3, W, side_px, side_px), or as
(B, 3, side_px, side_px) where W is 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, final

from torch import Tensor, nn


@final
@dataclass(frozen=True)
class Parts:
    """The parts of a model that an encoder uses.

    Args:
        network: the part with the weights that vectors depend on.
        forward: (B, 3, W, side_px, side_px) -> (B, D), with `network`.
        dimension: D.
        is_normalised: True if vectors have length 1.
        texts: the text tower; None if there is none in the same space.
        encode_tokens: a tokenizer's tensors of N texts -> (N, D), with `texts`.
    """

    network: nn.Module
    forward: Callable[[Tensor], Tensor]
    dimension: int
    is_normalised: bool = False
    texts: nn.Module | None = None
    encode_tokens: Callable[[Mapping[str, Tensor]], Tensor] | None = None


def _frames_first(pixels: Tensor) -> Tensor:
    """(B, 3, W, side_px, side_px) or (B, 3, side_px, side_px) -> (B, W, 3, side_px, side_px)."""
    return (pixels.transpose(1, 2) if pixels.ndim == 5 else pixels.unsqueeze(1)).contiguous()


def _mean_of_tokens(network: Any, pixels: Tensor, **options: Any) -> Tensor:
    tokens: Tensor = network(_frames_first(pixels), **options).last_hidden_state
    return tokens.mean(1)


def _mean_of_encoded(network: Any, pixels: Tensor) -> Tensor:
    return _mean_of_tokens(network.encoder, pixels)


def _what_the_classifier_gets(network: Any, pixels: Tensor, **options: Any) -> Tensor:
    """Return the logits of a network whose classifier is `nn.Identity`."""
    logits: Tensor = network(_frames_first(pixels), **options).logits
    return logits.flatten(1)  # VideoPrism's are (B, 1, D)


def _embedding(network: Any, pixels: Tensor, **options: Any) -> Tensor:
    found: Tensor = network(_frames_first(pixels), **options).pooler_output
    return found.flatten(1)  # VideoPrism's are (B, 1, D)


def _videomae(whole: Any) -> Parts:
    return Parts(whole, partial(_mean_of_tokens, whole), whole.config.hidden_size)


def _classified(whole: Any, **options: Any) -> Parts:
    whole.classifier = nn.Identity()
    return Parts(whole, partial(_what_the_classifier_gets, whole, **options), whole.config.hidden_size)


def _vjepa2(whole: Any) -> Parts:
    whole.predictor = nn.Identity()  # only pretraining uses it
    return Parts(whole, partial(_mean_of_encoded, whole), whole.config.hidden_size)


def _classified_vjepa2(whole: Any) -> Parts:
    whole.vjepa2.predictor = nn.Identity()
    return _classified(whole)


# VideoPrism takes any W by interpolating its positions in time, as its authors say; of its own W they stay the same.
_ANY_LENGTH: dict[str, Any] = {"interpolate_pos_encoding": True}


def _videoprism(whole: Any) -> Parts:
    return Parts(whole, partial(_mean_of_tokens, whole, **_ANY_LENGTH), whole.config.hidden_size)


def _videoprism_embedding(whole: Any) -> Parts:
    config = whole.config
    return Parts(whole, partial(_embedding, whole, **_ANY_LENGTH), config.hidden_size, config.apply_l2norm)


def _videoprism_and_texts(whole: Any) -> Parts:
    clips, texts = _videoprism_embedding(whole.video_model), whole.text_model
    return Parts(
        clips.network,
        clips.forward,
        clips.dimension,
        clips.is_normalised,
        texts,
        partial(_videoprism_texts, texts),
    )


def _videoprism_texts(tower: Any, tokens: Mapping[str, Tensor]) -> Tensor:
    found: Tensor = tower(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]).pooler_output
    return found


def _pe_video(whole: Any) -> Parts:
    clips = nn.ModuleDict({"video_encoder": whole.video_encoder, "video_head": whole.video_head})
    texts = nn.ModuleDict({"text_model": whole.text_model, "text_video_head": whole.text_video_head})
    dimension = whole.video_head.proj.out_features
    return Parts(clips, partial(_pe_clips, clips), dimension, False, texts, partial(_pe_texts, texts))


def _pe_audio_video(whole: Any) -> Parts:
    return _pe_video(whole.video_model)


def _pe_clips(network: Any, pixels: Tensor) -> Tensor:
    found: Tensor = network["video_head"](_embedding(network["video_encoder"], pixels))
    return found


def _pe_texts(towers: Any, tokens: Mapping[str, Tensor]) -> Tensor:
    """As `PeVideoModel.forward` does it: its `get_text_features` is not reachable in transformers 5.24."""
    told = towers["text_model"](**tokens, output_hidden_states=True)
    found: Tensor = towers["text_video_head"](told.hidden_states[-1][:, 0])
    return found


PARTS: dict[str, Callable[[Any], Parts]] = {
    "VideoMAEModel": _videomae,
    "VideoMAEForVideoClassification": _classified,
    "VJEPA2Model": _vjepa2,
    "VJEPA2ForVideoClassification": _classified_vjepa2,
    "VideoPrismVisionModel": _videoprism,
    "VideoPrismForVideoClassification": partial(_classified, **_ANY_LENGTH),
    "VideoPrismVideoModel": _videoprism_embedding,
    "VideoPrismClipModel": _videoprism_and_texts,
    "PeVideoModel": _pe_video,
    "PeAudioVideoModel": _pe_audio_video,
}
"""Class of transformers -> what makes parts of a model of it."""
