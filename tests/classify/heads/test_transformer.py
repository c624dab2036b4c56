import pytest
import torch

from classify.errors import HeadError
from classify.heads.transformer import EncoderLayer, TransformerHead

B, T, D = 3, 6, 16


def torch_layer(layer: EncoderLayer) -> torch.nn.TransformerEncoderLayer:
    """Return torch's own layer with the weights of ours."""
    theirs = torch.nn.TransformerEncoderLayer(D, 8, 2048, dropout=0.1, batch_first=True)
    names = {
        "attention_in.": "self_attn.in_proj_",
        "attention_out.": "self_attn.out_proj.",
        "attention_norm.": "norm1.",
        "feed_forward_in.": "linear1.",
        "feed_forward_out.": "linear2.",
        "feed_forward_norm.": "norm2.",
    }
    weights = {
        names[f"{name.rpartition('.')[0]}."] + name.rpartition(".")[2]: tensor
        for name, tensor in layer.state_dict().items()
    }
    theirs.load_state_dict(weights)
    return theirs.eval()


@pytest.fixture
def layer() -> EncoderLayer:
    torch.manual_seed(0)
    made = EncoderLayer(D).eval()
    with torch.no_grad():
        made.attention_in.bias.normal_()  # zero in a fresh layer, which would hide a mistake
        made.attention_out.bias.normal_()
    return made


def test_the_layer_equals_torchs_own_where_all_vectors_are_real(layer: EncoderLayer) -> None:
    vectors = torch.randn(B, T, D)

    ours = layer(vectors, torch.ones(B, T, dtype=torch.bool))

    torch.testing.assert_close(ours, torch_layer(layer)(vectors), atol=1e-5, rtol=0)


def test_the_layer_equals_torchs_own_on_the_real_vectors_of_padded_videos(layer: EncoderLayer) -> None:
    vectors = torch.randn(B, T, D)
    mask = torch.arange(T) < torch.tensor([6, 4, 1])[:, None]

    theirs = torch_layer(layer).train()  # its evaluation path packs padded batches and warns
    theirs.dropout.p = theirs.dropout1.p = theirs.dropout2.p = theirs.self_attn.dropout = 0.0

    torch.testing.assert_close(
        layer(vectors, mask)[mask], theirs(vectors, src_key_padding_mask=~mask)[mask], atol=1e-5, rtol=0
    )


def test_a_fresh_layer_starts_from_torchs_distributions() -> None:
    torch.manual_seed(0)
    ours = torch_layer(EncoderLayer(D))
    theirs = torch.nn.TransformerEncoderLayer(D, 8, 2048, batch_first=True)

    spreads = [
        (tensor.std() / theirs.state_dict()[name].std()).item()
        for name, tensor in ours.state_dict().items()
        if "weight" in name and "norm" not in name
    ]

    assert spreads == pytest.approx([1.0] * len(spreads), abs=0.15)


def test_the_transformer_sees_the_order_of_vectors() -> None:
    torch.manual_seed(0)
    head = TransformerHead(D, 3).eval()
    vectors, mask = torch.randn(B, T, D), torch.ones(B, T, dtype=torch.bool)

    assert (head(vectors.flip(1), mask) - head(vectors, mask)).abs().max() > 1e-3


def test_dropout_acts_in_training_only() -> None:
    head = TransformerHead(D, 3)
    vectors, mask = torch.randn(B, T, D), torch.ones(B, T, dtype=torch.bool)

    assert not torch.equal(head.train()(vectors, mask), head(vectors, mask))
    assert torch.equal(head.eval()(vectors, mask), head(vectors, mask))


def test_a_dimension_that_8_attention_heads_cannot_share_is_refused() -> None:
    with pytest.raises(
        HeadError,
        match=r"heads cannot share 12 dimensions evenly\. Set --project to a multiple of 8, or choose another",
    ):
        TransformerHead(12, 3)
