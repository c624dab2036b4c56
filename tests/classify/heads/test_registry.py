"""The contract of every registered head, with each kind of positions where it takes any."""

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from classify.errors import HeadError
from classify.heads.blocks.pooling import clear_padding
from classify.heads.blocks.positions import POSITIONS
from classify.heads.registry import StandardisedHead, build_head, list_heads, list_options
from classify.training.batches import VideoBatch
from classify.training.mixup import mix_batches

B, T, D, C = 4, 7, 16, 3

every_head = pytest.mark.parametrize("arch", list_heads())
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

Options = dict[str, str]
NO_DROPOUT = {arch: {"dropout": 0.0} for arch in list_heads() if "dropout" in list_options(arch)}


def make_batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return vectors (B, T, D) and a mask (B, T) of videos of 7, 5, 2 and 1 vectors."""
    vectors = torch.randn(B, T, D, generator=torch.Generator().manual_seed(seed))
    mask = torch.arange(T) < torch.tensor([7, 5, 2, 1])[:, None]
    return vectors, mask


def mix() -> tuple[torch.Tensor, torch.Tensor]:
    """Return vectors and mask of a mix of videos of 7, 5, 2 and 1 vectors with as many of 1, 2, 5 and 7."""
    vectors, mask = make_batch()
    first = VideoBatch(clear_padding(vectors, mask), mask, torch.zeros(B, C))
    mixed = mix_batches(first, VideoBatch(first.vectors.flip(0), mask.flip(0), first.targets), 0.3)
    assert mixed.mask is not None
    return mixed.vectors, mixed.mask


def logits_of(head: StandardisedHead, vectors: torch.Tensor, mask: torch.Tensor, filler: float = 0.0) -> torch.Tensor:
    """Call a head; a timed one with moments that are not evenly spaced, and the filler in their padding."""
    moments = (torch.arange(mask.shape[1]) ** 1.5).masked_fill(~mask, filler)
    logits: torch.Tensor = head(vectors, mask, moments if head.is_timed else None)
    return logits


@every_head_and_position
def test_a_head_gives_one_logit_a_class(arch: str, options: Options) -> None:
    logits = logits_of(build_head(arch, D, C, options=options).eval(), *make_batch())

    assert logits.shape == (B, C)


@every_head_and_position
@pytest.mark.parametrize("filler", [0.0, 7.0, -1e30, float("inf"), float("nan")])
def test_what_stands_in_the_padding_changes_no_logit(arch: str, options: Options, filler: float) -> None:
    head = build_head(arch, D, C, options=options).eval()
    vectors, mask = make_batch()

    filled = logits_of(head, vectors.masked_fill(~mask.unsqueeze(-1), filler), mask, filler)

    torch.testing.assert_close(filled, logits_of(head, vectors, mask), atol=1e-5, rtol=0)


@pytest.mark.usefixtures("small_heads")
@every_head_and_position
@pytest.mark.parametrize("filler", [7.0, float("nan")])
@pytest.mark.parametrize("is_mixed", [False, True], ids=["alone", "mixed"])
def test_more_padding_and_what_stands_in_it_change_no_step_of_a_training(
    arch: str, options: Options, is_mixed: bool, filler: float
) -> None:
    torch.manual_seed(0)
    head = build_head(arch, D, C, options={**options, **NO_DROPOUT.get(arch, {})}).train()
    twin = copy.deepcopy(head)
    vectors, mask = mix() if is_mixed else make_batch()

    logits = logits_of(head, vectors, mask)
    longer, longer_mask = F.pad(vectors, (0, 0, 0, 2)), F.pad(mask, (0, 2))
    filled = logits_of(twin, longer.masked_fill(~longer_mask.unsqueeze(-1), filler), longer_mask, filler)
    logits.square().sum().backward()
    filled.square().sum().backward()

    torch.testing.assert_close(filled, logits, atol=1e-5, rtol=0)
    torch.testing.assert_close([p.grad for p in twin.parameters()], [p.grad for p in head.parameters()])
    torch.testing.assert_close(dict(twin.named_buffers()), dict(head.named_buffers()))


@every_head_and_position
@pytest.mark.parametrize("row", range(B), ids=["full", "five", "two", "one"])
def test_a_video_beside_longer_ones_has_the_logits_it_has_alone(arch: str, options: Options, row: int) -> None:
    head = build_head(arch, D, C, options=options).eval()
    vectors, mask = make_batch()
    length = int(mask[row].sum())

    alone = logits_of(head, vectors[row : row + 1, :length], mask[row : row + 1, :length])

    torch.testing.assert_close(alone[0], logits_of(head, vectors, mask)[row], atol=1e-5, rtol=0)


@every_head_and_position
def test_a_real_vector_does_change_the_logits(arch: str, options: Options) -> None:
    head = build_head(arch, D, C, options=options).eval()
    vectors, mask = make_batch()

    changed = logits_of(head, vectors.index_fill(1, torch.tensor([0]), 5.0), mask)

    assert (changed - logits_of(head, vectors, mask)).abs().amax(dim=1).min() > 1e-5


@every_head
def test_a_head_selects_some_of_a_videos_own_vectors(arch: str) -> None:
    vectors = np.arange(5 * D, dtype=np.float32).reshape(5, D)

    selected = build_head(arch, D, C).select(vectors, "a.mp4")

    assert len(selected) >= 1
    assert set(map(tuple, selected.tolist())) <= set(map(tuple, vectors.tolist()))


@every_head_and_position
def test_padding_gives_no_gradient(arch: str, options: Options) -> None:
    vectors, mask = make_batch()
    vectors.requires_grad_()

    logits_of(build_head(arch, D, C, options=options).eval(), vectors, mask).sum().backward()

    assert vectors.grad is not None
    assert vectors.grad[~mask].abs().max() == 0


@every_head
def test_a_head_that_says_it_is_linear_is_one_layer_on_its_rows(arch: str) -> None:
    head = build_head(arch, D, C)
    if not head.is_linear:
        pytest.skip("derived by autograd")
    rows = head.pool(*make_batch()).rows
    layer = head.head.linear
    assert isinstance(layer, torch.nn.Linear)

    assert {id(parameter) for parameter in head.parameters()} == {id(layer.weight), id(layer.bias)}
    torch.testing.assert_close(head.train().classify(rows), F.linear(rows, layer.weight, layer.bias), atol=0, rtol=0)


def test_an_unknown_head_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(
        HeadError, match=r"no head called 'lineal'.*Choose one of: linear, mlp, random-frame, transformer"
    ):
        build_head("lineal", D, C)


def test_a_head_of_another_package_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "foreign_heads.py").write_text("from classify.heads.linear import LinearHead as ForeignHead\n")
    info = tmp_path / "foreign_heads-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-heads\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[classify.heads]\nforeign = foreign_heads:ForeignHead\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    head = build_head("foreign", D, C)

    assert type(head.head).__name__ == "LinearHead"
    assert "foreign" in list_heads()
    sys.modules.pop("foreign_heads")
