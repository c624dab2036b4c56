"""Any head, on vectors of which each dimension has mean 0 and deviation 1 over the training videos.

One learning rate then fits every encoder: CLIP's vectors and EfficientNet's differ ten times in scale. Measured on
ut_interaction6 (EfficientNet-Lite0, 32 frames, 5 folds by group, 3 seeds), row A's recipe gives the linear head a
micro-F1 of 0.73 with it and 0.57 without (mixup 0.4), 0.72 and 0.68 (no mixup).

What a head sees of a video is made in this order: its vectors are thinned, the head's own choice is taken, these are
projected on the principal components, and then standardised. A timed head's moments are thinned as the vectors are.
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

_ROWS_AT_ONCE = 1024  # few enough for a processor's cache: four times faster than all rows of 64 videos


@final
class StandardisedHead(nn.Module):
    """Wrap a head: what it sees of a video is made once. Fresh ones change nothing.

    Args:
        head: the head within; it takes vectors of `project` dimensions, or of D.
        dimension: D.
        project: principal components that vectors are projected on, at most D; None projects on nothing.
        max_frames: vectors that are taken of a video at most, evenly spaced; None takes all.

    Raises:
        HeadError: there are more components than dimensions.
    """

    mean: Tensor
    deviation: Tensor
    components: Tensor | None

    def __init__(
        self, head: nn.Module, dimension: int, *, project: int | None = None, max_frames: int | None = None
    ) -> None:
        super().__init__()
        if project is not None and project > dimension:
            raise HeadError(f"Vectors of {dimension} dimensions have no {project} components. Project on fewer.")
        self.head = head
        self.abilities = Abilities.of(head)
        self.max_frames = max_frames
        self.register_buffer("components", None if project is None else torch.eye(dimension, project))
        self.register_buffer("mean", torch.zeros(project or dimension))
        self.register_buffer("deviation", torch.ones(project or dimension))

    @property
    def pools(self) -> bool:
        """Whether the head within makes one row of each video, which can be kept: see `pool` and `classify`."""
        return self.abilities.pooling is not None

    @property
    def pools_mean(self) -> bool:
        """Whether that row is the mean of what the head sees."""
        return self.abilities.pools_mean

    @property
    def is_linear(self) -> bool:
        """Whether the logits of that row are those of one layer, `head.linear`, which has all the parameters."""
        return self.abilities.is_linear

    @property
    def is_timed(self) -> bool:
        """Whether the head within is given the moment of each vector."""
        return self.abilities.is_timed

    def learn_scale(self, blocks: Iterable[NDArray[np.floating]], *, standardise: bool = True) -> None:
        """Take components, mean and deviation from the training videos' rows.

        Args:
            blocks: the rows, (R, D) each. The same blocks give the same bits.
            standardise: learn mean and deviation; otherwise the components alone.
        """
        moments = Moments(with_covariance=self.components is not None)
        for block in blocks:
            for rows in torch.split(torch.from_numpy(block), _ROWS_AT_ONCE):
                moments.add(rows.to(self.mean.device, torch.float32))
        mean, variance = moments.mean, moments.variance
        if self.components is not None:
            variance, components = moments.principal(self.components.shape[1])
            self.components.copy_(components)
            mean = mean @ components
            # One deviation for all components, since small ones are noise. On ut_interaction6, 128 of 1,280 dimensions,
            # row A's recipe: linear 0.42 with it, 0.36 with one each; statistics 0.55 and 0.45.
            variance = variance.mean().expand_as(variance)
        if standardise:
            self.mean.copy_(mean)
            self.deviation.copy_(bounded_deviation(variance))

    def copy_scale(self, other: "StandardisedHead") -> None:
        """Take what another head has learned of the same rows."""
        for own, found in zip(self.buffers(recurse=False), other.buffers(recurse=False), strict=True):
            own.copy_(found)

    @property
    def scales_rows(self) -> bool:
        """Whether the head within also standardises the rows that it pools: see `learn_rows`."""
        return self.abilities.row_learning is not None

    def learn_rows(self, rows: Tensor) -> None:
        """Have the head within take mean and deviation from the pooled rows (R, D') of the training videos."""
        assert self.abilities.row_learning is not None, "this head learns nothing from its rows"
        self.abilities.row_learning.learn_rows(rows)

    def select(self, vectors: NDArray[np.floating], video_id: str) -> NDArray[np.float32]:
        """Make of one video's vectors (T, D) what the head sees of it, float32."""
        return self.scale(self.choose(vectors, video_id))

    def choose(self, vectors: NDArray[np.floating], video_id: str) -> NDArray[np.floating]:
        """Return those of one video's vectors (T, D) that the head looks at, as they are."""
        chosen = vectors if self.max_frames is None else thin(vectors, self.max_frames)
        selecting = self.abilities.selecting
        return chosen if selecting is None else selecting.select(chosen, video_id)

    def choose_moments(self, timestamps_s: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return those of one video's moments (T,) that go with the chosen vectors, counted from its first vector.

        A file's own clock need not start at 0; for heads that are timed.
        """
        elapsed_s = timestamps_s - timestamps_s[0]
        return elapsed_s if self.max_frames is None else thin(elapsed_s, self.max_frames)

    def scale(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Project vectors (T, D), and standardise them: float32."""
        # By torch, whose threads this process has chosen: NumPy's own take all cores, and wait for each other by
        # turning in circles where other processes are at work, for minutes.
        rows = torch.from_numpy(vectors).to(torch.float32, copy=True)
        if self.components is not None:
            rows = rows @ self.components.cpu()
        rows.sub_(self.mean.cpu()).div_(self.deviation.cpu())
        return rows.numpy()

    def forward(self, vectors: Tensor, mask: Tensor, timestamps_s: Tensor | None = None) -> Tensor:
        """Return logits (B, C) of selected vectors (B, T, D) where `mask` (B, T) is True.

        A timed head is given their `timestamps_s` (B, T), as `choose_moments` makes them; the others none.
        """
        given = (vectors, mask) if timestamps_s is None else (vectors, mask, timestamps_s)
        logits: Tensor = self.head(*given)
        return logits

    def pool(self, vectors: Tensor, mask: Tensor) -> Pooled:
        """Make one row of each video's selected vectors (B, T, D); for heads that pool."""
        assert self.abilities.pooling is not None, "this head does not pool"
        return self.abilities.pooling.pool(vectors, mask)

    def classify(self, rows: Tensor) -> Tensor:
        """Return logits (B, C) of pooled rows (B, D'); for heads that pool."""
        assert self.abilities.pooling is not None, "this head does not pool"
        return self.abilities.pooling.classify(rows)
