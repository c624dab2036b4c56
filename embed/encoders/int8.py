"""Matrix products in 8-bit integers on a CPU: the linear layers of a transformer's blocks, weights and inputs alike.

Each output channel of a weight and each row of an input (one token of one frame) has a scale of its own, which makes
its largest magnitude 127. So nothing is calibrated, and nothing depends on the other frames of a batch; sums of
integers are exact, whatever computes them. Attention, normalisation, nonlinearities and convolutions stay float32.

Source: vector-wise quantisation, LLM.int8(), Dettmers et al. 2022, https://arxiv.org/abs/2208.07339, section 2.
"""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from embed.errors import EncoderError

_LARGEST = 127  # symmetric: -128 is not used
_TINY = torch.finfo(torch.float32).tiny


def quantise_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Scale each row to the integers from -127 to 127.

    Args:
        rows: (N, D) float32, finite.

    Returns:
        (N, D) int8, and the (N, 1) float32 scales that bring it back.

    >>> integers, scales = quantise_rows(torch.tensor([[1.0, -2.0], [0.0, 0.0]]))
    >>> integers.tolist()
    [[64, -127], [0, 0]]
    """
    # amax and amin are vectorised, which torch's norms and aminmax are not: a fifth of their time.
    largest = torch.maximum(rows.amax(1, keepdim=True), rows.amin(1, keepdim=True).neg_()).clamp_(min=_TINY)
    return (rows * (_LARGEST / largest)).round_().to(torch.int8), largest / _LARGEST


@final
class Int8Linear(nn.Module):
    """What `torch.nn.Linear` computes, through integers.

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
        sums = torch._int_mm(rows, self.columns)
        return torch.addcmul(self.bias, sums * scales, self.column_scales).view(*inputs.shape[:-1], -1)


@final
class Int8Attention(nn.Module):
    """What `torch.nn.MultiheadAttention` computes of sequences with themselves, its projections through integers.

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
        """(B, T, D) float32, thrice the same -> (B, T, D) float32, without the weights, which nobody asks for."""
        assert query is key is value
        assert not need_weights
        batch, length, width = query.shape
        heads = self.inward(query).view(batch, length, 3, self.head_count, width // self.head_count)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(q, k, v, attn_mask=attn_mask)
        return self.outward(mixed.transpose(1, 2).reshape(batch, length, width)), None


def quantise_transformer(model: nn.Module, name: str) -> None:
    """Put integers into the self-attention blocks of open_clip's vision transformers, in place.

    Args:
        model: an image tower.
        name: what to call it in the message.

    Raises:
        EncoderError: the model has no such blocks, or this torch computes integer products without oneDNN, slower
            than float32.
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
            f"This machine's torch {torch.__version__} has no oneDNN, without which int8 is slower than float32. "
            "Use --precision float32."
        )
    for block in blocks:
        block.attn = Int8Attention(block.attn)
        for place, layer in enumerate(block.mlp):
            if isinstance(layer, nn.Linear):
                block.mlp[place] = Int8Linear(layer.weight, layer.bias)
