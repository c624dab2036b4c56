"""Matrix products in 8-bit integers on a CPU: weights and inputs of the linear layers in a transformer's blocks.

Each output channel of a weight and each row of an input (one token of one frame) has its own scale, which makes its
largest magnitude 127. So no calibration is needed, and nothing depends on the other frames of a batch. Sums of integers
are exact, however they are computed. Attention, normalisation, nonlinearities and convolutions stay float32.

Processors with instructions for 8-bit products (VNNI, AMX) become faster. On others, where oneDNN takes 30 to 90 times
as long as for float32, float32 products compute the same sums, about as fast as float32 alone.

Source: vector-wise quantisation, LLM.int8(), Dettmers et al. 2022, https://arxiv.org/abs/2208.07339, section 2.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from embed.errors import EncoderError

_LARGEST = 127  # symmetric: -128 is not used
_EXACT_TERMS = 1024  # this many products of integers up to 127 sum to less than 2^24, below which float32 is exact
_TINY = torch.finfo(torch.float32).tiny


def quantise_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Scale each row to the integers from -127 to 127.

    Args:
        rows: (N, D) float32, finite.

    Returns:
        (N, D) int8, and the (N, 1) float32 scales to multiply them with.

    >>> integers, scales = quantise_rows(torch.tensor([[1.0, -2.0], [0.0, 0.0]]))
    >>> integers.tolist()
    [[64, -127], [0, 0]]
    """
    # amax and amin are vectorised, and take a fifth of the time of torch's norms and aminmax, which are not.
    largest = torch.maximum(rows.amax(1, keepdim=True), rows.amin(1, keepdim=True).neg_()).clamp_(min=_TINY)
    return (rows * (_LARGEST / largest)).round_().to(torch.int8), largest / _LARGEST


def multiply_integers(rows: Tensor, columns: Tensor) -> Tensor:
    """Multiply matrices of integers by the method that is faster on this processor. Both methods are exact.

    Args:
        rows: (N, D) int8, from -127 to 127.
        columns: (D, M) int8, from -127 to 127.

    Returns:
        (N, M) int32.
    """
    return torch._int_mm(rows, columns) if _has_fast_integers() else multiply_in_float32(rows, columns)


def multiply_in_float32(rows: Tensor, columns: Tensor) -> Tensor:
    """Multiply matrices of integers by float32 products whose sums are short enough to be exact.

    >>> rows, columns = torch.full((1, 5000), 127, dtype=torch.int8), torch.full((5000, 1), -127, dtype=torch.int8)
    >>> multiply_in_float32(rows, columns).item() == -127 * 127 * 5000
    True
    """
    sums = torch.zeros((len(rows), columns.shape[1]), dtype=torch.int32)
    pieces = zip(torch.split(rows, _EXACT_TERMS, 1), torch.split(columns, _EXACT_TERMS), strict=True)
    for some_rows, some_columns in pieces:
        sums += (some_rows.float() @ some_columns.float()).to(torch.int32)
    return sums


@cache
def _has_fast_integers() -> bool:
    rows, columns = torch.ones((64, 256), dtype=torch.int8), torch.ones((256, 256), dtype=torch.int8)
    return _seconds(torch._int_mm, rows, columns) < _seconds(multiply_in_float32, rows, columns)


def _seconds(multiply: Callable[[Tensor, Tensor], Tensor], rows: Tensor, columns: Tensor) -> float:
    """Return the time of the fastest of five products."""
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        multiply(rows, columns)
        taken.append(time.perf_counter() - started)
    return min(taken)


@final
class Int8Linear(nn.Module):
    """A layer that computes `torch.nn.Linear` with integers.

    Args:
        weight: (D_out, D_in) float.
        bias: (D_out,) float.
    """

    columns: Tensor
    column_scales: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        integers, scales = quantise_rows(weight.detach().float())
        self.register_buffer("columns", integers.t().contiguous())
        self.register_buffer("column_scales", scales.squeeze(1))
        self.register_buffer("bias", bias.detach().float())

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., D_in) float32 -> (..., D_out) float32."""
        rows, scales = quantise_rows(inputs.reshape(-1, inputs.shape[-1]))
        sums = multiply_integers(rows, self.columns)
        return torch.addcmul(self.bias, sums * scales, self.column_scales).view(*inputs.shape[:-1], -1)


@final
class Int8Attention(nn.Module):
    """A layer that computes `torch.nn.MultiheadAttention` as self-attention, with integers for its projections.

    Args:
        attention: batch first; queries, keys and values have one width.
    """

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.head_count = attention.num_heads
        self.inward = Int8Linear(attention.in_proj_weight, attention.in_proj_bias)
        self.outward = Int8Linear(attention.out_proj.weight, attention.out_proj.bias)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, *, need_weights: bool, attn_mask: Tensor | None
    ) -> tuple[Tensor, None]:
        """(B, T, D) float32, the same three times -> (B, T, D) float32; attention weights are not returned."""
        assert query is key is value
        assert not need_weights
        batch, length, width = query.shape
        heads = self.inward(query).view(batch, length, 3, self.head_count, width // self.head_count)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(q, k, v, attn_mask=attn_mask)
        return self.outward(mixed.transpose(1, 2).reshape(batch, length, width)), None


def quantise_transformer(model: nn.Module, name: str) -> None:
    """Convert the self-attention blocks of open_clip's vision transformers to integers, in place.

    Args:
        model: an image tower.
        name: its name for messages.

    Raises:
        EncoderError: the model has no such blocks, or this torch has no oneDNN, so that integers are slower than
            float32.
    """
    from open_clip.transformer import ResidualAttentionBlock

    blocks = [block for block in model.modules() if isinstance(block, ResidualAttentionBlock)]
    if not blocks:
        raise EncoderError(
            f"{name} has no int8 form: only the vision transformers of open_clip (ViT-...) have one. "
            "Use --precision float32."
        )
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        raise EncoderError(
            f"torch {torch.__version__} on this machine has no oneDNN, without which int8 is slower than float32. "
            "Use --precision float32."
        )
    for block in blocks:
        block.attn = Int8Attention(block.attn)
        for place, layer in enumerate(block.mlp):
            if isinstance(layer, nn.Linear):
                block.mlp[place] = Int8Linear(layer.weight, layer.bias)
