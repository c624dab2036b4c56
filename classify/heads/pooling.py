"""From the vectors of a video in time to one."""

from torch import Tensor


def pool_mean(vectors: Tensor, mask: Tensor) -> Tensor:
    """Average the real vectors of each video.

    Args:
        vectors: (B, T, D) float. Rows where `mask` is False may hold anything.
        mask: (B, T) bool, True where the vector is real. Every video has one at least.

    Returns:
        (B, D) float, not renormalised.

    >>> from torch import tensor
    >>> vectors = tensor([[[1.0], [3.0], [float("nan")]]])
    >>> pool_mean(vectors, tensor([[True, True, False]]))
    tensor([[2.]])

    Source: mean pooling of CLIP4Clip (Luo et al. 2021), https://arxiv.org/abs/2104.08860, section 3.3.
    """
    # masked_fill and not a product: 0 x inf and 0 x nan are nan.
    total = vectors.masked_fill(~mask.unsqueeze(-1), 0).sum(dim=1)
    return total / mask.sum(dim=1, keepdim=True).to(total.dtype)
