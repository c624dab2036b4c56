"""The contract of every registered head, with each kind of positions that it takes."""

from functools import partial

import pytest
import torch

from classify.errors import HeadError
from classify.heads.blocks.positions import POSITIONS
from classify.heads.registry import HEADS, StandardisedHead, build_head, list_heads, list_options
from classify.heads.testing import HEAD_CHECKS, HeadCheck

B, T, D, C = 4, 7, 16, 3
Options = dict[str, str]

every_head_and_position = pytest.mark.parametrize(
    ("arch", "options"),
    [
        *(pytest.param(arch, {}, id=arch) for arch in list_heads()),
        *(
            pytest.param(arch, {"positions": kind}, id=f"{arch}-{kind}")
            for arch in list_heads()
            for kind in POSITIONS
            if "positions" in list_options(arch)
        ),
    ],
)
(TRAINING_CHECK,) = (check for check in HEAD_CHECKS if str(check).startswith("trains"))


def make_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return vectors (B, T, D) and a mask (B, T) of videos of 7, 5, 2 and 1 vectors."""
    vectors = torch.randn(B, T, D, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(T) < torch.tensor([7, 5, 2, 1])[:, None]
    return vectors, mask


def logits_of(head: StandardisedHead, vectors: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Call a head; a timed one with timestamps that are not evenly spaced."""
    moments = torch.arange(mask.shape[1]) ** 1.5 * mask
    logits: torch.Tensor = head(vectors, mask, moments if head.is_timed else None)
    return logits


@every_head_and_position
@pytest.mark.parametrize("check", [check for check in HEAD_CHECKS if check is not TRAINING_CHECK], ids=str)
def test_a_head_keeps_the_contract(arch: str, options: Options, check: HeadCheck) -> None:
    check(partial(HEADS[arch], **options))


@pytest.mark.usefixtures("small_heads")
@every_head_and_position
def test_a_head_trains_alike_with_more_padding(arch: str, options: Options) -> None:
    TRAINING_CHECK(partial(HEADS[arch], **options))


@every_head_and_position
def test_a_change_of_the_first_vector_alone_changes_the_logits(arch: str, options: Options) -> None:
    head = build_head(arch, D, C, options=options).eval()
    vectors, mask = make_batch()

    changed = logits_of(head, vectors.index_fill(1, torch.tensor([0]), 5.0), mask)

    assert (changed - logits_of(head, vectors, mask)).abs().amax(dim=1).min() > 1e-5


@every_head_and_position
def test_real_vectors_get_a_gradient(arch: str, options: Options) -> None:
    vectors, mask = make_batch()
    vectors.requires_grad_()

    logits_of(build_head(arch, D, C, options=options).eval(), vectors, mask).sum().backward()

    assert vectors.grad is not None
    assert vectors.grad[mask].abs().max() > 0


def test_heads_offer_what_they_are_said_to() -> None:
    with torch.device("meta"):
        heads = {arch: build_head(arch, D, C) for arch in HEADS}
        timed = build_head("transformer", D, C, options={"positions": "timestamps"})

    assert {arch for arch, head in heads.items() if head.is_linear} == {
        "linear",
        "random-frame",
        "statistics",
        "motion",
        "clip4clip-mean",
    }
    assert {arch for arch, head in heads.items() if head.pools_mean} == {"linear", "random-frame", "mlp", "moe"}
    assert {arch for arch, head in heads.items() if head.pools} == {
        *("linear", "random-frame", "mlp", "moe", "statistics", "motion", "clip4clip-mean")
    }
    assert not any(head.is_timed for head in heads.values())
    assert timed.is_timed


def test_an_unknown_head_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(
        HeadError, match=r"no head called 'lineal'.*Choose one of: linear, mlp, random-frame, transformer"
    ):
        build_head("lineal", D, C)
