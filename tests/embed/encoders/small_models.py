"""Small models to cut, which take milliseconds: torchvision's own classes, and modules with one peculiarity each."""

from functools import partial

import torch
from torch import Tensor, nn

from embed.encoders import declare_missing_operators
from embed.encoders.torch_encoder import TorchModel
from embed.store import EncoderIdentity
from embed.video import Preprocessing


def torch_model(
    network: nn.Module, dimension: int, *, window: int = 1, side_px: int = 8, name: str = "small"
) -> TorchModel:
    """Return a network whose forward is pixels -> (B, D) as a model with weights."""
    identity = EncoderIdentity(
        family="tests",
        model=name,
        pretrained="random",
        weights_sha256="0",
        dimension=dimension,
        window=window,
        preprocessing=Preprocessing(side_px, side_px, "squash", "bilinear", (0.5,) * 3, (0.5,) * 3),
    )
    return TorchModel(identity, network.eval(), partial(_call, network))


def _call(network: nn.Module, pixels: Tensor) -> Tensor:
    vectors: Tensor = network(pixels)
    return vectors


def small_mvit() -> tuple[nn.Module, int, int, int]:
    """Return MViT with four blocks, and its dimension, window and side."""
    declare_missing_operators()
    from torchvision.models.video.mvit import MSBlockConfig, MViT

    blocks = [
        MSBlockConfig(
            num_heads=heads,
            input_channels=wide,
            output_channels=out,
            kernel_q=[3, 3, 3],
            kernel_kv=[3, 3, 3],
            stride_q=stride,
            stride_kv=[1, 2, 2],
        )
        for heads, wide, out, stride in (
            (1, 8, 8, [1, 1, 1]),
            (2, 8, 16, [1, 2, 2]),
            (2, 16, 16, [1, 1, 1]),
            (2, 16, 16, [1, 1, 1]),
        )
    ]
    network = MViT(
        spatial_size=(32, 32),
        temporal_size=4,
        block_setting=blocks,
        residual_pool=True,
        residual_with_cls_embed=False,
        rel_pos_embed=True,
        proj_after_attn=True,
        stochastic_depth_prob=0.5,
        num_classes=3,
    )
    network.head = nn.Identity()
    return network, 16, 4, 32


def small_swin() -> tuple[nn.Module, int, int, int]:
    """Return Video Swin with two stages."""
    declare_missing_operators()
    from torchvision.models.video.swin_transformer import SwinTransformer3d

    network = SwinTransformer3d(
        patch_size=[2, 4, 4],
        embed_dim=8,
        depths=[2, 2],
        num_heads=[2, 2],
        window_size=[2, 2, 2],
        stochastic_depth_prob=0.5,
        num_classes=3,
    )
    network.head = nn.Identity()
    return network, 16, 4, 32


class SmallResnet(nn.Module):
    """R(2+1)D's blocks, narrow, with statistics of batch norms as if they were trained."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D

        self.stem = nn.Sequential(nn.Conv3d(3, 8, 3, stride=2, padding=1), nn.BatchNorm3d(8), nn.ReLU())
        self.layer3, self.layer4 = (
            nn.Sequential(BasicBlock(8, 8, Conv2Plus1D), BasicBlock(8, 8, Conv2Plus1D)) for _ in range(2)
        )
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.5, 1.5)

    def forward(self, pixels: Tensor) -> Tensor:
        pooled: Tensor = self.avgpool(self.layer4(self.layer3(self.stem(pixels))))
        return pooled.flatten(1)


def small_resnet() -> tuple[nn.Module, int, int, int]:
    """Return R(2+1)D's blocks, and their dimension, window and side."""
    declare_missing_operators()
    return SmallResnet(), 8, 4, 16


def small_vit() -> tuple[nn.Module, int, int, int]:
    """Return torchvision's ViT with three layers."""
    declare_missing_operators()
    from torchvision.models import VisionTransformer

    network = VisionTransformer(
        image_size=16, patch_size=8, num_layers=3, num_heads=2, hidden_dim=16, mlp_dim=32, dropout=0.3
    )
    network.heads = nn.Identity()
    return network, 16, 1, 16


class Chain(nn.Module):
    """pixels -> first -> second -> third: a way to the end through each, and others if asked for.

    Args:
        way: "plain"; or what makes a cut before `third` impossible or peculiar.
    """

    def __init__(self, way: str = "plain") -> None:
        super().__init__()
        self.way = way
        self.first, self.second, self.third = nn.Linear(192, 6), nn.Linear(6, 6), nn.Linear(6, 6)
        self.attention = nn.MultiheadAttention(6, 2)
        self.norm, self.unused = nn.LayerNorm(6), nn.Linear(6, 6)
        self.token = nn.Parameter(torch.zeros(1, 6))
        self.drop = nn.Dropout(0.5)

    def forward(self, pixels: Tensor) -> Tensor:
        one = self.norm(self.first(pixels.flatten(1))) + self.token
        two: Tensor = self.norm(self.second(one).relu())
        if self.way == "residual":
            return self.third(two) + one
        if self.way == "twice":
            return self.third(self.third(two))
        if self.way == "whole numbers":
            return self.third(two) * (one > 0).sum(dim=1, keepdim=True)
        if self.way == "attention":
            rows = two.unsqueeze(0).expand(3, -1, -1).contiguous()
            return self.attention(rows, rows, rows)[0].mean(dim=0)
        if self.way == "three times as many":
            thirds: Tensor = self.third(torch.cat([two, two * 2, two * 3], dim=1).view(-1, 6))
            return thirds.view(-1, 3, 6).sum(dim=1)
        return self.norm(self.drop(self.third(two)))
