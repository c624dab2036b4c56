"""Small models of transformers with random weights, saved as checkpoints with their processors."""

from pathlib import Path
from typing import Any

import torch

from embed.encoders import declare_missing_operators

WINDOW, SIDE_PX = 4, 32
SIZES: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}


def save_model(kind: str, folder: Path, **changes: Any) -> Path:
    """Save a checkpoint: videomae, videomae-classifier, vjepa2, videoprism, videoprism-text or pe-av."""
    declare_missing_operators()
    import transformers as library

    torch.manual_seed(0)
    square = {"height": SIDE_PX, "width": SIDE_PX}
    processor: Any = library.VideoMAEVideoProcessor(size={"shortest_edge": SIDE_PX}, crop_size=square)
    if kind.startswith("videomae"):
        config = library.VideoMAEConfig(
            **SIZES, num_hidden_layers=2, image_size=SIDE_PX, patch_size=8, num_frames=WINDOW, **changes
        )
        name = "VideoMAEForVideoClassification" if kind == "videomae-classifier" else "VideoMAEModel"
        model = getattr(library, name)(config)
    elif kind == "vjepa2":
        config = library.VJEPA2Config(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            crop_size=SIDE_PX,
            patch_size=8,
            frames_per_clip=WINDOW,
            pred_hidden_size=16,
            pred_num_hidden_layers=1,
            pred_num_attention_heads=2,
        )
        model, processor = library.VJEPA2Model(config), library.VJEPA2VideoProcessor(crop_size=SIDE_PX)
    elif kind.startswith("videoprism"):
        vision = {
            **SIZES,
            "num_spatial_layers": 1,
            "num_temporal_layers": 1,
            "num_auxiliary_layers": 1,
            "image_size": 36,
            "num_frames": WINDOW,
        }
        text = {**SIZES, "num_hidden_layers": 1, "vocab_size": 50, "max_position_embeddings": 16}
        model = (
            library.VideoPrismClipModel(library.VideoPrismConfig(vision_config=vision, text_config=text))
            if kind == "videoprism-text"
            else library.VideoPrismVisionModel(library.VideoPrismVisionConfig(**vision))
        )
        side = {"height": 36, "width": 36}
        processor = library.VideoMAEVideoProcessor(size=side, do_center_crop=False, do_normalize=False)
    else:
        processor = library.PeVideoVideoProcessor(
            size=square, do_resize=True, do_rescale=True, do_normalize=True, image_mean=[0.5] * 3, image_std=[0.5] * 3
        )
        model = library.PeVideoModel(_pe_config(library))
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _pe_config(library: Any) -> Any:
    text = library.ModernBertConfig(**SIZES, num_hidden_layers=1, vocab_size=50, pad_token_id=0)
    video = {
        **SIZES,
        "num_hidden_layers": 1,
        "head_dim": 8,
        "vision_config": {
            "architecture": "test_vit",
            "do_pooling": True,
            "num_classes": 16,
            "global_pool": "token",
            "model_args": {"img_size": SIDE_PX},
        },
    }
    return library.PeVideoConfig(text_config=text, video_config=video)
