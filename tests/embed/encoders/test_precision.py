from pathlib import Path

import numpy as np
import pytest
import torch

from embed.encoders.contract import Encoder
from embed.encoders.int8 import Int8Attention, Int8Linear, multiply_in_float32, multiply_integers
from embed.encoders.loading import load_encoder
from embed.errors import EncoderError
from embed.store.provenance import Precision
from tests.embed.encoders.frames import SMALL_CLIP, pictures, prepared, smallest_cosine


@pytest.fixture(scope="module", params=["bfloat16", "int8"])
def lower(request: pytest.FixtureRequest, checkpoint: Path) -> Encoder:
    """The small CLIP in a precision below float32."""
    return load_encoder(SMALL_CLIP, pretrained=str(checkpoint), device="cpu", precision=request.param)


@pytest.fixture(scope="module")
def full(checkpoint: Path) -> Encoder:
    return load_encoder(SMALL_CLIP, pretrained=str(checkpoint), device="cpu")


def test_clip_in_a_lower_precision_gives_nearly_the_same_vectors_and_not_the_same(
    lower: Encoder, full: Encoder
) -> None:
    images = prepared(full, pictures(8))
    ours, theirs = lower.encode(images), full.encode(images)
    assert smallest_cosine(ours, theirs) >= 0.999
    assert not np.array_equal(ours, theirs)


def test_a_lower_precision_changes_the_identity_but_not_the_hash_of_the_weights(lower: Encoder, full: Encoder) -> None:
    assert lower.identity.precision in ("bfloat16", "int8")
    assert full.identity.precision == "float32"
    assert lower.identity.weights_sha256 == full.identity.weights_sha256


def test_an_int8_layer_is_exact_for_integers() -> None:
    generator = torch.Generator().manual_seed(0)
    weight, inputs = (torch.randint(-127, 128, size, generator=generator).float() for size in ((5, 64), (2, 3, 64)))
    weight[:, 0] = inputs[..., 0] = 127  # so that every scale is 1
    bias = torch.arange(5.0)
    torch.testing.assert_close(Int8Linear(weight, bias)(inputs), inputs @ weight.T + bias, rtol=1e-6, atol=0)


@pytest.mark.parametrize("terms", [64, 1024, 1088, 3072])
def test_both_ways_to_multiply_integers_are_exact(terms: int) -> None:
    generator = torch.Generator().manual_seed(terms)
    rows, columns = (torch.randint(-127, 128, size, generator=generator) for size in ((40, terms), (terms, 8)))
    rows[0] = columns[:, 0] = 127  # the largest possible sum
    expected = rows @ columns
    rows, columns = rows.to(torch.int8), columns.to(torch.int8)
    assert torch.equal(torch._int_mm(rows, columns).long(), expected)
    assert torch.equal(multiply_in_float32(rows, columns).long(), expected)
    assert torch.equal(multiply_integers(rows, columns).long(), expected)


def test_an_int8_layer_gives_each_row_and_channel_a_scale_of_its_own() -> None:
    weight, inputs = torch.diag(torch.tensor([1e-6, 1.0, 1e6])), torch.diag(torch.tensor([1e6, 1.0, 1e-6]))
    torch.testing.assert_close(Int8Linear(weight, torch.zeros(3))(inputs), torch.eye(3))


def test_int8_attention_is_close_to_torchs_own() -> None:
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(64, 4, batch_first=True).eval()
    x = torch.randn(3, 10, 64)
    with torch.inference_mode():
        expected = theirs(x, x, x, need_weights=False)[0]
        found = Int8Attention(theirs)(x, x, x, need_weights=False, attn_mask=None)[0]
    assert smallest_cosine(found.flatten(0, 1).numpy(), expected.flatten(0, 1).numpy()) >= 0.999


def test_int8_on_a_gpu_says_what_to_use_instead() -> None:
    with pytest.raises(EncoderError, match=r"int8 is for CPUs, but the device is cuda. Use --precision bfloat16"):
        load_encoder("efficientnet-lite0", device="cuda", precision="int8")


@pytest.mark.parametrize("precision", ["float16", "fp32"])
def test_an_unknown_precision_lists_the_known_ones(precision: Precision) -> None:
    with pytest.raises(EncoderError, match=f"no precision '{precision}'. Use one of float32, bfloat16, int8"):
        load_encoder("efficientnet-lite0", precision=precision)


def test_convolutions_have_no_int8_form() -> None:
    with pytest.raises(EncoderError, match=r"efficientnet-lite0 has no int8 form.*Use --precision float32"):
        load_encoder("efficientnet-lite0", precision="int8")
