"""The checks that other packages' tests run: each refuses what it is for, and a sound head passes them all."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from classify.errors import HeadError
from classify.heads.blocks import build_positions, clear_padding, pool_mean
from classify.heads.testing import HEAD_CHECKS, HeadCheck, check_head
from classify.heads.testing.subject import Subject
from classify.training.batches import VideoBatch
from classify.training.mixup import mix_batches
from tests.classify.heads.testing import broken_heads as broken

every_check = pytest.mark.parametrize("check", HEAD_CHECKS, ids=str)

BROKEN = [
    (broken.build_no_module, "has whole protocols", r"builder returns str. Return a torch.nn.Module"),
    (broken.WithoutForward, "has whole protocols", r"no method forward\(vectors, mask\).*Add it"),
    (broken.PoolLayer, "has whole protocols", r"AdaptiveAvgPool1d 'pool' has the name of a method.*Rename it"),
    (broken.PoolsWithoutClassify, "has whole protocols", r"'pool' but has no method classify\(rows\).*Add it, or"),
    (
        broken.SelectsInBatchesOnly,
        "has whole protocols",
        r"'select_batch' but has no method select\(vectors, video_id\)",
    ),
    (broken.TimedAndPooling, "has whole protocols", r"timed and has 'pool'.*Remove 'pool' or is_timed"),
    (broken.OneLogit, "returns one logit for each class", r"returns shape \(4,\) for 4 videos.*shape \(4, 3\)"),
    (broken.ReturnsTuple, "returns one logit for each class", r"returns tuple for 4 videos.*Return logits"),
    (broken.Infinite, "returns one logit for each class", r"NaN or infinity.*Return finite logits"),
    (broken.WithoutWeights, "returns one logit for each class", r"no weights that training can change. Use"),
    (broken.RandomAlways, "repeats itself", r"different logits.*in evaluation mode. Switch dropout"),
    (broken.ReadsPadding, "ignores padding", r"content of padding \(7.0 instead of 0.0\). Clear rows"),
    (broken.MultipliesByMask, "ignores padding", r"content of padding \(inf instead of 0.0\).*A product with the mask"),
    (broken.CountsPadding, "sees each video alone", r"change with.*the length of its padding. Use `mask`"),
    (broken.SeesOtherVideos, "sees each video alone", r"change with the other videos of the batch"),
    (broken.Blind, "sees real vectors", r"stay the same when all vectors of the video change. Use rows"),
    (broken.LeaksGradient, "passes no gradient to padding", r"Padding gets a gradient. Clear it"),
    (broken.RandomInTraining, "trains alike with more padding", r"with its dropout off. Use torch.nn.Dropout"),
    (
        broken.NormsPadding,
        "trains alike with more padding",
        r"logits change in training.*MaskedBatchNorm",
    ),
    (broken.SharesLayer, "saves all that it needs", r"cannot be saved as safetensors.*share none of them"),
    (broken.KeepsExtraState, "saves all that it needs", r"cannot be saved as safetensors.*Hold tensors only"),
    (broken.ForgetsCentre, "saves all that it needs", r"state_dict returns different logits.*register_buffer"),
    (broken.SelectsNothing, "selects some of its vectors", r"select does not return some of the 100 vectors"),
    (broken.SelectsWhatIsNotThere, "selects some of its vectors", r"Return at least one of them, unchanged"),
    (broken.SelectsOtherwiseInBatches, "selects the same in a batch", r"different vectors of a video of 100. Make"),
    (broken.PoolsTensor, "pools without weights", r"does not return classify.heads.Pooled.*Return that"),
    (broken.PoolsByWeights, "pools without weights", r"pool uses weights.*Use the weights in classify"),
    (broken.ForwardsOtherwise, "classifies what it pools", r"forward does not return classify\(pool.*Return that"),
    (broken.ClassifiesOneHeadOnly, "classifies what it pools", r"rows \(2, B, D'\).*Allow any dimensions before B"),
    (broken.ClassifiesTwoDimensionsOnly, "classifies what it pools", r"rows \(2, B, D'\).*Allow any dimensions"),
    (broken.UsesWeightDirectly, "classifies what it pools", r"does not call the layer 'linear'. Call it as a module"),
    (broken.MeanByNameOnly, "pools the mean if it says so", r"pools_mean is True, but.*remove pools_mean"),
    (broken.LinearByNameOnly, "is linear if it says so", r"not those of one torch.nn.Linear.*Remove is_linear"),
    (broken.LinearBesideDropout, "is linear if it says so", r"does not return the output.*Remove is_linear"),
    (broken.FramewiseByNameOnly, "is framewise if it says so", r"not the mean of the logits.*Remove is_framewise"),
    (broken.WeighsPadding, "weighs real vectors only", r"not return shares \(B, T\).*Return that, or rename weigh"),
]


class TimesOnlyHead(nn.Module):
    """A head that always needs timestamps, by names of its own."""

    is_timed = True

    def __init__(self, dimension: int, class_count: int) -> None:
        super().__init__()
        self.positions = build_positions("timestamps", dimension)
        self.linear = nn.Linear(dimension, class_count)

    def forward(self, x: Tensor, real: Tensor, seconds: Tensor) -> Tensor:
        x = clear_padding(x, real)
        return self.linear(pool_mean((x + self.positions(x, real, seconds)).relu(), real))


@every_check
@pytest.mark.parametrize("build", [broken.MeanHead, TimesOnlyHead])
def test_a_sound_head_passes(build: Callable[..., nn.Module], check: HeadCheck) -> None:
    check(build)


@pytest.mark.parametrize(("build", "name", "message"), [pytest.param(*case, id=case[0].__name__) for case in BROKEN])
def test_a_broken_head_is_refused_with_what_is_wrong_and_what_to_do(
    build: Callable[..., nn.Module], name: str, message: str
) -> None:
    (check,) = [check for check in HEAD_CHECKS if str(check) == name]

    with pytest.raises(HeadError, match=message):
        check(build)


def test_every_check_refuses_some_broken_head() -> None:
    assert {str(check) for check in HEAD_CHECKS} == {name for _, name, _ in BROKEN}


def test_all_checks_run_at_once_and_for_the_dimension_that_a_head_takes() -> None:
    def build(dimension: int, class_count: int) -> nn.Module:
        if dimension != 12:
            raise HeadError("takes vectors of 12 dimensions only")
        return broken.MeanHead(dimension, class_count)

    check_head(build, dimension=12)

    with pytest.raises(HeadError, match="12 dimensions only"):
        check_head(build)
    with pytest.raises(HeadError, match="select does not return"):
        check_head(broken.SelectsNothing)


def test_checks_leave_torch_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)

    with torch.device("meta"), torch.no_grad():
        check_head(broken.MeanHead)
        assert not torch.is_grad_enabled()

    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == 1  # as conftest.py sets it


def test_a_mixed_batch_is_one_of_mixup() -> None:
    subject = Subject(broken.MeanHead, 16)
    vectors, mask = subject.batch()
    first, second = (
        VideoBatch(own, is_real, torch.zeros(4, 3))
        for own, is_real in ((vectors, mask), (vectors.flip(0), mask.flip(0)))
    )

    expected = mix_batches(first, second, 0.3)

    found, found_mask = subject.mixed_batch()
    assert torch.equal(found, expected.vectors)
    assert expected.mask is not None
    assert torch.equal(found_mask, expected.mask)


def test_the_checks_need_no_test_framework() -> None:
    code = (
        "import sys; from classify.heads.testing import check_head; print('pytest' in sys.modules, check_head.__name__)"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.split() == ["False", "check_head"]
