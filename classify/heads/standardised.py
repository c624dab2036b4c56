"""A head on standardised vectors: each dimension has mean 0 and deviation 1 over the training videos.

One learning rate then fits every encoder: the scales of CLIP's and EfficientNet's vectors differ by a factor of ten.
Measured on ut_interaction6 (EfficientNet-Lite0, 32 frames, 5 folds by group, 3 seeds) with row A's recipe, the linear
head has a micro-F1 of 0.73 with standardisation and 0.57 without (mixup 0.4), or 0.72 and 0.68 (no mixup).

The input of a head is made of a video's vectors in this order: they are thinned, the head selects some of them, these
are projected on the principal components, and then standardised. The timestamps of a timed head are thinned like the
vectors.
"""

from collections.abc import Iterable
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from classify.errors import HeadError
from classify.heads.abilities import Abilities
from classify.heads.blocks import Moments, Pooled, bounded_deviation, thin

_ROWS_AT_ONCE = 1024  # they fit a processor's cache: four times faster than all rows of 64 videos at once


@final
class StandardisedHead(nn.Module):
    """A head, and how its input is made of a video's vectors. Until `learn_scale`, vectors stay as they are.

    Args:
        head: the inner head. It takes vectors of `project` dimensions, or of D if that is None.
        dimension: D.
        project: number of principal components that vectors are projected on, at most D; None does not project.
        max_frames: largest number of vectors that are taken from a video, evenly spaced; None takes all.

    Raises:
        HeadError: `project` is larger than D.
    """

    mean: Tensor
    deviation: Tensor
    components: Tensor | None
    row_mean: Tensor | None
    row_deviation: Tensor | None

    def __init__(
        self, head: nn.Module, dimension: int, *, project: int | None = None, max_frames: int | None = None
    ) -> None:
        super().__init__()
        if project is not None and project > dimension:
            raise HeadError(
                f"Vectors of {dimension} dimensions do not have {project} components. Project on {dimension} or fewer."
            )
        self.head = head
        self.abilities = Abilities.of(head)
        self.max_frames = max_frames
        self._has_one_scale = project is not None
        self.register_buffer("components", None if project is None else torch.eye(dimension, project))
        self.register_buffer("mean", torch.zeros(project or dimension))
        self.register_buffer("deviation", torch.ones(project or dimension))
        size = self._count_row_numbers()
        self.part_count = max(1.0, size / (project or dimension))
        self.register_buffer("row_mean", torch.zeros(size) if size else None)
        # A step of Adam moves every weight by about the same amount, so it moves a logit by the sum of the inputs:
        # fifteen times as far with the fifteen parts of `motion` as with one. Divided by them, one rate fits all heads.
        self.register_buffer("row_deviation", torch.full((size,), self.part_count) if size else None)

    @property
    def pools(self) -> bool:
        """True if the inner head turns each video into one row, which can be kept: see `pool` and `classify`."""
        return self.abilities.pooling is not None

    @property
    def pools_mean(self) -> bool:
        """True if that row is the mean of the head's input."""
        return self.abilities.pools_mean

    @property
    def is_linear(self) -> bool:
        """True if the logits of that row are those of one linear layer, which has all parameters."""
        return self.abilities.is_linear

    @property
    def is_timed(self) -> bool:
        """True if the inner head is called with timestamps."""
        return self.abilities.is_timed

    def learn_scale(
        self, blocks: Iterable[NDArray[np.floating]], *, standardise: bool = True, is_reduced: bool = False
    ) -> None:
        """Learn components, mean and deviation from the rows of the training videos.

        Args:
            blocks: rows, (R, D) each. The same blocks give the same bits.
            standardise: also learn mean and deviation; otherwise only the components.
            is_reduced: True if the rows' dimensions are principal components already, so that all get one deviation.
        """
        self._has_one_scale = is_reduced or self.components is not None
        moments = Moments(with_covariance=self.components is not None)
        for block in blocks:
            for rows in torch.split(torch.from_numpy(block), _ROWS_AT_ONCE):
                moments.add(rows.to(self.mean.device, torch.float32))
        mean, variance = moments.mean, moments.variance
        if self.components is not None:
            variance, components = moments.principal(self.components.shape[1])
            self.components.copy_(components)
            mean = mean @ components
        if self._has_one_scale:
            # One deviation for all components, because small components are noise. On ut_interaction6 with 128 of 1,280
            # dimensions and row A's recipe: linear 0.42 with one, 0.36 with one each; statistics 0.55 and 0.45.
            variance = variance.mean().expand_as(variance)
        if standardise:
            self.mean.copy_(mean)
            self.deviation.copy_(bounded_deviation(variance))

    def copy_scale(self, other: "StandardisedHead") -> None:
        """Copy what another head has learned from the same rows."""
        for own, found in zip(self.buffers(recurse=False), other.buffers(recurse=False), strict=True):
            own.copy_(found)

    def learn_rows(self, rows: Tensor) -> None:
        """Learn mean and deviation of the rows (R, D') that the inner head pools of the training videos.

        Means of standardised vectors have a mean of 0 already, so only their deviation is learned. A mix of two videos'
        means is then the mean of the mixed videos, as it is without this.
        """
        mean, deviation = self._row_scale()
        moments = Moments()
        moments.add(rows)
        variance, size = moments.variance, len(self.mean)
        if self._has_one_scale and len(variance) % size == 0:  # one deviation a part, as in `learn_scale`
            variance = variance.view(-1, size).mean(dim=1).repeat_interleave(size)
        if not self.pools_mean:
            mean.copy_(moments.mean)
        deviation.copy_(bounded_deviation(variance) * self.part_count)

    def scale_rows(self, rows: Tensor) -> Tensor:
        """Return rows (..., D') that the inner head pooled, as it classifies them: standardised, if it has learned."""
        mean, deviation = self._row_scale()
        return (rows - mean) / deviation

    def select(self, vectors: NDArray[np.floating], video_id: str) -> NDArray[np.float32]:
        """Return the head's input, float32, made of one video's vectors (T, D)."""
        return self.scale(self.choose(vectors, video_id))

    def choose(self, vectors: NDArray[np.floating], video_id: str) -> NDArray[np.floating]:
        """Return those of one video's vectors (T, D) that the head uses, unchanged."""
        chosen = vectors if self.max_frames is None else thin(vectors, self.max_frames)
        selecting = self.abilities.selecting
        return chosen if selecting is None else selecting.select(chosen, video_id)

    def choose_moments(self, timestamps_s: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the timestamps of the chosen vectors, in seconds since the first of one video's timestamps (T,).

        For timed heads. The clock of a file does not always start at 0.
        """
        elapsed_s = timestamps_s - timestamps_s[0]
        return elapsed_s if self.max_frames is None else thin(elapsed_s, self.max_frames)

    def scale(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return vectors (T, D) projected and standardised, float32."""
        # By torch, whose number of threads this process has set: NumPy's threads take all cores, and busy-wait for each
        # other for minutes if other processes use the cores.
        rows = torch.from_numpy(vectors).to(torch.float32, copy=True)
        if self.components is not None:
            rows = rows @ self.components.cpu()
        rows.sub_(self.mean.cpu()).div_(self.deviation.cpu())
        return rows.numpy()

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor | None = None) -> Tensor:
        """Return logits (B, C) of selected vectors (B, T, D) where `mask` (B, T) is True.

        A timed head needs `timestamps_s` (B, T), as `choose_moments` returns them; other heads take none.
        """
        if self.pools:
            return self.classify(self.scale_rows(self.pool(vectors, mask).rows))
        given = (vectors, mask) if timestamps_s is None else (vectors, mask, timestamps_s)
        logits: Tensor = self.head(*given)
        return logits

    def pool(self, vectors: Tensor, mask: Tensor) -> Pooled:
        """Return the row of each video that the inner head pools of selected vectors (B, T, D), not yet scaled."""
        assert self.abilities.pooling is not None, "this head does not pool"
        return self.abilities.pooling.pool(vectors, mask)

    def classify(self, rows: Tensor) -> Tensor:
        """Return logits (..., B, C) of rows (..., B, D') that `scale_rows` returned. For heads that pool."""
        assert self.abilities.pooling is not None, "this head does not pool"
        return self.abilities.pooling.classify(rows)

    def _row_scale(self) -> tuple[Tensor, Tensor]:
        assert self.row_mean is not None, "this head does not pool"
        assert self.row_deviation is not None, "this head does not pool"
        return self.row_mean, self.row_deviation

    def _count_row_numbers(self) -> int:
        """Return D', the length of a pooled row; 0 if the head does not pool."""
        if self.abilities.pooling is None:
            return 0
        if self.pools_mean:
            return len(self.mean)
        with torch.device("meta"):  # a folder's description may claim any number of dimensions
            rows, _ = self.abilities.pooling.pool(torch.zeros(1, 2, len(self.mean)), torch.ones(1, 2, dtype=torch.bool))
        return rows.shape[1]
