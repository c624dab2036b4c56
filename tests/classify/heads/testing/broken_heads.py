"""Heads that break the contract, each in one way."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from classify.heads.blocks import Pooled, clear_padding, pool_max, pool_mean, pool_mean_once
from classify.heads.linear import LinearHead

Vectors = NDArray[np.floating]


class MeanHead(nn.Module):
    """Keeps the contract; the base of those that do not."""

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, class_count)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return self.linear(pool_mean(vectors, mask))


class WithoutForward(nn.Module):
    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, class_count)


class OneLogit(MeanHead):
    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return super().forward(vectors, mask)[:, 0]


class ReturnsTuple(MeanHead):
    def forward(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(vectors, mask), mask


class Infinite(MeanHead):
    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return super().forward(vectors, mask) / 0


class WithoutWeights(nn.Module):
    def __init__(self, dimension: int, class_count: int) -> None:  # noqa: ARG002
        super().__init__()
        self.class_count = class_count

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return pool_mean(vectors, mask)[:, : self.class_count]


class RandomAlways(MeanHead):
    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return F.dropout(super().forward(vectors, mask), 0.5)


class RandomInTraining(MeanHead):
    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return F.dropout(super().forward(vectors, mask), 0.5, self.training)


class ReadsPadding(MeanHead):
    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return self.linear(vectors.sum(dim=1) / mask.sum(dim=1, keepdim=True))


class MultipliesByMask(MeanHead):
    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return self.linear((vectors * mask.unsqueeze(2)).sum(dim=1) / mask.sum(dim=1, keepdim=True))


class CountsPadding(MeanHead):
    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return self.linear(clear_padding(vectors, mask).mean(dim=1))


class SeesOtherVideos(MeanHead):
    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        logits = super().forward(vectors, mask)
        return logits - logits.mean(dim=0)


class Blind(MeanHead):
    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return super().forward(torch.ones_like(vectors), mask)


class LeaksGradient(MeanHead):
    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return super().forward(vectors, mask) + (vectors - vectors.detach()).sum(dim=(1, 2)).unsqueeze(1)


class NormsPadding(MeanHead):
    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__(dimension, class_count)
        self.norm = nn.BatchNorm1d(dimension)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        normed = self.norm(clear_padding(vectors, mask).flatten(0, 1)).view_as(vectors)
        return super().forward(normed, mask)


class SharesLayer(MeanHead):
    """Holds one layer under two names."""

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__(dimension, class_count)
        self.again = self.linear


class KeepsExtraState(MeanHead):
    """Keeps something other than a tensor in its state_dict."""

    def get_extra_state(self) -> dict[str, int]:
        return {"version": 1}

    def set_extra_state(self, state: dict[str, int]) -> None:
        pass


class ForgetsCentre(MeanHead):
    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__(dimension, class_count)
        self.centre = torch.randn(dimension)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return super().forward(vectors - self.centre, mask)


class PoolLayer(MeanHead):
    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__(dimension, class_count)
        self.pool = nn.AdaptiveAvgPool1d(1)


class PoolsWithoutClassify(MeanHead):
    def pool(self, vectors: Tensor, mask: Tensor) -> Pooled:
        return pool_mean_once(vectors, mask)


class SelectsInBatchesOnly(MeanHead):
    def select_batch(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return vectors[:, :1], mask[:, :1]


class TimedAndPooling(LinearHead):
    is_timed = True

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor | None = None) -> Tensor:  # noqa: ARG002
        return super().forward(vectors, mask)


class SelectsNothing(MeanHead):
    def select(self, vectors: Vectors, video_id: str) -> Vectors:  # noqa: ARG002
        return vectors[:0]


class SelectsWhatIsNotThere(MeanHead):
    def select(self, vectors: Vectors, video_id: str) -> Vectors:  # noqa: ARG002
        return vectors.mean(axis=0, keepdims=True)


class SelectsOtherwiseInBatches(MeanHead):
    def select(self, vectors: Vectors, video_id: str) -> Vectors:  # noqa: ARG002
        return vectors[-1:]

    def select_batch(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return vectors[:, :1], mask[:, :1]


class PoolsTensor(LinearHead):
    def pool(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return pool_mean(vectors, mask)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return self.classify(self.pool(vectors, mask))


class PoolsByWeights(LinearHead):
    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__(dimension, class_count)
        self.attention = nn.Linear(dimension, 1)

    def pool(self, vectors: Tensor, mask: Tensor) -> Pooled:
        real = clear_padding(vectors, mask)
        return pool_mean_once(real * self.attention(real).sigmoid(), mask)


class ForwardsOtherwise(LinearHead):
    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return 2 * super().forward(vectors, mask)


class ClassifiesOneHeadOnly(LinearHead):
    def classify(self, rows: Tensor) -> Tensor:
        return super().classify(rows).log_softmax(dim=1)


class ClassifiesTwoDimensionsOnly(LinearHead):
    def classify(self, rows: Tensor) -> Tensor:
        return torch.einsum("bd,cd->bc", rows, self.linear.weight)


class UsesWeightDirectly(LinearHead):
    def classify(self, rows: Tensor) -> Tensor:
        return F.linear(rows, self.linear.weight, self.linear.bias)


class MeanByNameOnly(LinearHead):
    def pool(self, vectors: Tensor, mask: Tensor) -> Pooled:
        return Pooled(pool_max(vectors, mask), torch.ones(len(vectors)))


class LinearByNameOnly(LinearHead):
    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__(dimension, class_count)
        self.linear = nn.Sequential(nn.Linear(dimension, 8), nn.ReLU(), nn.Linear(8, class_count))


class LinearBesideDropout(LinearHead):
    def classify(self, rows: Tensor) -> Tensor:
        return super().classify(F.dropout(rows, 0.5, self.training))


class FramewiseByNameOnly(MeanHead):
    is_framewise = True

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return super().forward(vectors, mask).relu()


class WeighsPadding(MeanHead):
    def weigh(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return torch.full(mask.shape, 1 / vectors.shape[1])


def build_no_module(dimension: int, class_count: int) -> str:
    return f"a head of {dimension} and {class_count}"


def build_without_sizes() -> MeanHead:
    return MeanHead(16, 3)
