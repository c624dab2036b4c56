import torch
from torch import nn

from classify.heads.attention import ATTENTION_HEADS, AttentionHead

B, T, D, C = 3, 6, 16, 4
SIZE = D // ATTENTION_HEADS


def test_the_short_cut_equals_torchs_attention_with_keys_and_values_of_every_vector() -> None:
    torch.manual_seed(0)
    head = AttentionHead(D, C).eval()
    nn.init.normal_(head.norm.weight)
    nn.init.normal_(head.norm.bias)
    theirs, query = nn.MultiheadAttention(D, ATTENTION_HEADS, batch_first=True), torch.randn(D)
    asking, keys, values = theirs.in_proj_weight.detach().view(3, ATTENTION_HEADS, SIZE, D)
    with torch.no_grad():
        head.query.copy_(torch.einsum("hs,hsd->hd", asking @ query, keys) / SIZE**0.5)
        head.values.copy_(values.transpose(1, 2))
        head.out.load_state_dict(theirs.out_proj.state_dict())
    vectors, mask = torch.randn(B, T, D), torch.arange(T) < torch.tensor([6, 4, 1])[:, None]

    normed = head.norm(vectors)
    seen, weights = theirs(query.expand(B, 1, D), normed, normed, key_padding_mask=~mask)

    torch.testing.assert_close(head(vectors, mask), head.linear(seen[:, 0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(head.weigh(vectors, mask), weights[:, 0], atol=1e-5, rtol=0)
