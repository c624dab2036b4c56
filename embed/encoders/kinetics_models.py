"""The facts of torchvision's models of clips, known without importing torch: sizes, preprocessing, layers.

torchvision says of its weights that they "may have their own licenses or terms and conditions derived from the dataset
used for training". MViT's were ported from PyTorchVideo and SlowFast, Swin's from Video-Swin-Transformer;
KINETICS400_IMAGENET22K_V1 began with ImageNet-22K, which is for research that is not commercial.

Source: torchvision/models/video/{mvit,swin_transformer,resnet,s3d}.py; its tests compare these with the weights' own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

from embed.video import Preprocessing

DEFAULT_WINDOW = 16


@final
@dataclass(frozen=True)
class KineticsModel:
    """What is known of a model.

    Args:
        dimension: D, the length of the vector that its classifier gets.
        classifier: name of the module that makes logits of it; a checkpoint may have another, or none.
        preprocessing: that of its weights.
        least_window, most_window: W, the frames of a clip, from and to; None for no end.
        tags: names of torchvision's weights; the first is the default.
    """

    dimension: int
    classifier: str
    preprocessing: Preprocessing
    least_window: int = 1
    most_window: int | None = None
    tags: tuple[str, ...] = ("KINETICS400_V1",)


def _cut(
    resize_px: int | tuple[int, int], side_px: int, mean: tuple[float, float, float], std: tuple[float, float, float]
) -> Preprocessing:
    mode, length = ("shortest", resize_px) if isinstance(resize_px, int) else ("squash", resize_px)
    return Preprocessing(side_px, length, mode, "bilinear", mean, std, antialias=False)  # type: ignore[arg-type]


_GREY = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_KINETICS = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
_IMAGENET_22K = ("KINETICS400_V1", "KINETICS400_IMAGENET22K_V1")

KINETICS_MODELS: Mapping[str, KineticsModel] = MappingProxyType(
    {
        # The positions of MViT are those of 16 frames.
        "mvit_v1_b": KineticsModel(768, "head", _cut(256, 224, *_GREY), 16, 16),
        "mvit_v2_s": KineticsModel(768, "head", _cut(256, 224, *_GREY), 16, 16),
        "swin3d_t": KineticsModel(768, "head", _cut(256, 224, *_IMAGENET)),
        "swin3d_s": KineticsModel(768, "head", _cut(256, 224, *_IMAGENET)),
        "swin3d_b": KineticsModel(1024, "head", _cut(256, 224, *_IMAGENET), tags=_IMAGENET_22K),
        "r2plus1d_18": KineticsModel(512, "fc", _cut((128, 171), 112, *_KINETICS)),
        # S3D halves time four times, and then averages over two moments.
        "s3d": KineticsModel(1024, "classifier", _cut((256, 256), 224, *_KINETICS), 14),
    }
)
"""Model -> what is known of it."""
