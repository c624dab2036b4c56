"""torchvision's models of clips with random weights, and their checkpoints."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from embed.encoders import declare_missing_operators
from embed.encoders.kinetics_models import KINETICS_MODELS


def full_model(model: str, *, seed: int = 0, class_count: int = 400) -> Any:
    """Return a whole model in eval mode, with statistics of batch norms as if it was trained."""
    declare_missing_operators()
    from torchvision.models import get_model

    torch.manual_seed(seed)
    network = get_model(model, num_classes=class_count).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network


def classifier_of(network: Any, model: str) -> nn.Module:
    """Return the layer that makes logits of vectors."""
    found: nn.Module = getattr(network, KINETICS_MODELS[model].classifier)
    return [m for m in found.modules() if isinstance(m, (nn.Linear, nn.Conv3d))][-1]


def classify(layer: Any, vectors: Tensor) -> Tensor:
    """(B, D) -> (B, C) logits, for a layer that is a product or a convolution of one pixel."""
    return vectors @ layer.weight.flatten(1).T + layer.bias


def checkpoint_of(network: Any, path: Path) -> str:
    torch.save(network.state_dict(), path)
    return str(path)
