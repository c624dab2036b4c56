import torch
from torch import nn
from torch.nn import functional as F

from classify.heads.attention import ATTENTION_HEADS, AttentionHead

B, T, D, C = 3, 6, 16, 4


def test_the_short_cut_equals_attention_with_keys_and_values_of_every_vector() -> None:
    """Each head's query is a row of `query`; its values are its own block of `values`, summed over heads."""
    torch.manual_seed(0)
    head = AttentionHead(D, C).eval()
    nn.init.normal_(head.norm.weight)
    nn.init.normal_(head.norm.bias)
    vectors, mask = torch.randn(B, T, D), torch.arange(T) < torch.tensor([6, 4, 1])[:, None]
    normed = head.norm(vectors)
    blocks = head.values.weight.unflatten(1, (ATTENTION_HEADS, D))
    seen = head.values.bias.expand(B, D)
    for number in range(ATTENTION_HEADS):
        values = normed @ blocks[:, number].T
        query = head.query[number].expand(B, 1, D)
        seen = seen + F.scaled_dot_product_attention(query, normed, values, attn_mask=mask[:, None], scale=1.0)[:, 0]

    torch.testing.assert_close(head(vectors, mask), head.linear(seen), atol=1e-5, rtol=0)
