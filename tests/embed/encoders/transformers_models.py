"""Small models of transformers with random weights, saved as checkpoints with their processors and tokenizers."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from embed.encoders import declare_missing_operators

WINDOW, SIDE_PX = 4, 32
SIZES: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
WORDS = ["<pad>", "</s>", "<unk>", "a", "photo", "of", "dog", "two", "people", "shake", "hands", "recipe", "for"]
_NAMES = {
    "videomae": "VideoMAEModel",
    "videomae-pretraining": "VideoMAEForPreTraining",
    "videomae-classifier": "VideoMAEForVideoClassification",
    "vjepa2": "VJEPA2Model",
    "vjepa2-classifier": "VJEPA2ForVideoClassification",
    "videoprism": "VideoPrismVisionModel",
    "videoprism-classifier": "VideoPrismForVideoClassification",
    "videoprism-text": "VideoPrismClipModel",
    "pe-av": "PeVideoModel",
    "pe-av-audio": "PeAudioVideoModel",
}


def save_model(kind: str, folder: Path, *, seed: int = 0, **changes: Any) -> Path:
    """Save a checkpoint of a kind of `_NAMES`. Its weights are far from zero, so that every frame matters."""
    declare_missing_operators()
    import transformers as library

    torch.manual_seed(seed)
    with redirect_stdout(StringIO()):  # PE-AV's class prints a note on its docstring
        model = getattr(library, _NAMES[kind])(_config(library, kind, changes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    _processor(library, kind).save_pretrained(folder)
    if kind in ("videoprism-text", "pe-av", "pe-av-audio"):
        save_tokenizer(kind, folder)
    return folder


def save_tokenizer(kind: str, folder: Path) -> None:
    """Save a tokenizer of `WORDS`."""
    import transformers as library
    from tokenizers import Tokenizer, models, pre_tokenizers

    if kind == "videoprism-text":
        pieces = [(word if word.startswith("<") else f"▁{word}", -1.0) for word in WORDS]
        library.VideoPrismTokenizer(vocab=pieces, extra_ids=0).save_pretrained(folder)
        return
    words = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    library.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>").save_pretrained(
        folder
    )


def _processor(library: Any, kind: str) -> Any:
    square = {"height": SIDE_PX, "width": SIDE_PX}
    if kind.startswith("videomae"):
        return library.VideoMAEVideoProcessor(size={"shortest_edge": SIDE_PX}, crop_size=square)
    if kind.startswith("vjepa2"):
        return library.VJEPA2VideoProcessor(crop_size=SIDE_PX)
    if kind.startswith("videoprism"):
        side = {"height": 36, "width": 36}
        return library.LlavaOnevisionVideoProcessor(size=side, do_center_crop=False, do_normalize=False)
    return library.PeVideoVideoProcessor(
        size=square, do_resize=True, do_rescale=True, do_normalize=True, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )


def _config(library: Any, kind: str, changes: dict[str, Any]) -> Any:
    if kind.startswith("videomae"):
        sizes = {"num_hidden_layers": 2, "image_size": SIDE_PX, "patch_size": 8, "num_frames": WINDOW, "num_labels": 7}
        decoder = {"decoder_hidden_size": 16, "decoder_num_attention_heads": 2, "decoder_num_hidden_layers": 1}
        return library.VideoMAEConfig(**{**SIZES, **sizes, **decoder, **changes})
    if kind.startswith("vjepa2"):
        predictor = {"pred_hidden_size": 16, "pred_num_hidden_layers": 1, "pred_num_attention_heads": 2}
        sizes = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2, "num_pooler_layers": 1}
        frames = {"crop_size": SIDE_PX, "patch_size": 8, "frames_per_clip": WINDOW, "num_labels": 7}
        return library.VJEPA2Config(**{**sizes, **frames, **predictor, **changes})
    if kind.startswith("videoprism"):
        layers = {"num_spatial_layers": 1, "num_temporal_layers": 1, "num_auxiliary_layers": 1}
        vision = {**SIZES, **layers, "image_size": 36, "num_frames": WINDOW, "num_labels": 7, **changes}
        if kind != "videoprism-text":
            return library.VideoPrismVisionConfig(**vision)
        return library.VideoPrismConfig(
            vision_config=vision, text_config={**SIZES, "num_hidden_layers": 1, "vocab_size": 50}
        )
    return _pe_config(library, with_audio=kind == "pe-av-audio")


def _pe_config(library: Any, *, with_audio: bool) -> Any:
    ids = dict.fromkeys(("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 1)
    text = library.ModernBertConfig(**SIZES, **ids, num_hidden_layers=1, vocab_size=50, pad_token_id=0)
    layers = {**SIZES, "num_hidden_layers": 1, "head_dim": 8}
    pictures = {
        "architecture": "test_vit",
        "do_pooling": True,
        "num_classes": 16,
        "global_pool": "token",
        "model_args": {"img_size": SIDE_PX},
    }
    video = {**layers, "vision_config": pictures}
    if not with_audio:
        return library.PeVideoConfig(text_config=text, video_config=video)
    dac = {"encoder_hidden_size": 8, "downsampling_ratios": [2, 2], "codebook_dim": 8, "n_codebooks": 1}
    towers = {**layers, "video_config": video, "audio_config": {**layers, "dac_config": dac}}
    return library.PeAudioVideoConfig(text_config=text.to_dict(), audio_video_config=towers)
