"""Mean, variance and principal components of rows that come in blocks, because all rows may not fit into memory."""

from typing import final

import torch
from torch import Tensor

# Otherwise a dimension that hardly changes in training would outweigh all others in the first video where it does.
_SMALLEST_SHARE = 0.1  # of the root mean square deviation of all dimensions


def bounded_deviation(variance: Tensor) -> Tensor:
    """Return deviations (D,) to divide by, of variances (D,). None is far below those of the other dimensions."""
    deviation = variance.sqrt()
    smallest = _SMALLEST_SHARE * deviation.square().mean().sqrt()
    return deviation.clamp_min(smallest.clamp_min(torch.finfo(torch.float32).tiny))


@final
class Moments:
    """The first two moments of the rows that were added, in float64.

    Args:
        with_covariance: keep the whole covariance, for `principal`, and not only its diagonal.

    Source: Chan, Golub, LeVeque 1979, Updating formulae and a pairwise algorithm for computing sample variances.
    """

    def __init__(self, *, with_covariance: bool = False) -> None:
        self._with_covariance = with_covariance
        self._count = 0
        self._mean = torch.zeros((), dtype=torch.float64)
        self._scatter = torch.zeros((), dtype=torch.float64)

    def add(self, rows: Tensor) -> None:
        """Add rows (R, D)."""
        mean = rows.mean(dim=0)
        centred = rows - mean
        scatter = centred.T @ centred if self._with_covariance else centred.square_().sum(dim=0)
        step = mean.double() - self._mean.to(mean.device)
        total = self._count + len(rows)
        between = torch.outer(step, step) if self._with_covariance else step.square()
        self._scatter = self._scatter.to(mean.device) + scatter.double() + between * (self._count * len(rows) / total)
        self._mean = self._mean.to(mean.device) + step * (len(rows) / total)
        self._count = total

    @property
    def mean(self) -> Tensor:
        """Mean of each dimension: (D,) float32."""
        return self._mean.float()

    @property
    def variance(self) -> Tensor:
        """Variance of each dimension: (D,) float32."""
        scatter = self._scatter.diagonal() if self._with_covariance else self._scatter
        return (scatter / self._count).float()

    def principal(self, count: int) -> tuple[Tensor, Tensor]:
        """Return the largest variances (count,) along orthogonal directions, and these directions (D, count), float32.

        The largest entry of a direction is positive, so that it is the same on every machine.
        """
        variances, directions = torch.linalg.eigh(self._scatter / self._count)
        variances, directions = variances.flip(0)[:count], directions.flip(1)[:, :count]
        largest = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True))
        return variances.clamp_min(0).float(), (directions * largest.sign()).float()
