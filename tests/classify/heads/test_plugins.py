"""Heads of other packages, which are checked when they are first loaded."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from classify.errors import HeadError
from classify.heads import plugins
from classify.heads.registry import build_head, list_heads, list_options
from tests.classify.heads.testing.broken_heads import Infinite, MeanHead

BROKEN = "tests.classify.heads.testing.broken_heads"

built: list[int] = []


class CountingHead(MeanHead):
    """A sound head that notes the dimension of each that is built."""

    def __init__(self, dimension: int, class_count: int, *, dropout: float = 0.5) -> None:
        built.append(dimension)
        super().__init__(dimension, class_count)
        self.dropout = nn.Dropout(dropout)


def build_for_clip(dimension: int, class_count: int) -> MeanHead:
    if dimension != 512:
        raise HeadError("takes vectors of 512 dimensions only")
    return MeanHead(dimension, class_count)


def build_broken_for_clip(dimension: int, class_count: int) -> nn.Module:
    build_for_clip(dimension, class_count)
    return Infinite(dimension, class_count)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Install a package with a head called foreign, which is the object at `module:name`."""
    plugins._load.cache_clear()
    built.clear()

    def write(value: str) -> None:
        info = tmp_path / "foreign_heads-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-heads\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[classify.heads]\nforeign = {value}\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    yield write
    plugins._load.cache_clear()


def test_a_head_of_another_package_is_found_by_its_entry_point(install: Callable[[str], None]) -> None:
    install("classify.heads.linear:LinearHead")

    assert type(build_head("foreign", 16, 3).head).__name__ == "LinearHead"
    assert "foreign" in list_heads()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (f"{BROKEN}:build_no_module", r"The builder returns str. Return a torch.nn.Module"),
        (f"{BROKEN}:WithoutForward", r"no method forward\(vectors, mask\).*Add it"),
        (f"{BROKEN}:OneLogit", r"returns shape \(4,\) for 4 videos and 3 classes. Return logits of shape \(4, 3\)"),
        (f"{BROKEN}:ReturnsTuple", r"returns tuple.*Return logits"),
        (f"{BROKEN}:Infinite", r"NaN or infinity.*Return finite logits"),
        (f"{BROKEN}:RandomAlways", r"different logits.*Switch dropout and everything random off"),
        (f"{BROKEN}:ReadsPadding", r"content of padding.*Clear rows where `mask` is False"),
        (f"{BROKEN}:CountsPadding", r"the length of its padding. Use `mask`"),
        (f"{BROKEN}:SeesOtherVideos", r"other videos of the batch"),
        (f"{BROKEN}:PoolLayer", r"AdaptiveAvgPool1d 'pool' has the name of a method.*Rename it"),
        (f"{BROKEN}:PoolsWithoutClassify", r"'pool' but has no method classify\(rows\) -> logits. Add it, or rename"),
        (f"{BROKEN}:SelectsInBatchesOnly", r"'select_batch' but has no method select"),
        (f"{BROKEN}:TimedAndPooling", r"timed and has 'pool'"),
        (f"{BROKEN}:SelectsNothing", r"select does not return some of the 100 vectors"),
        (f"{BROKEN}:PoolsTensor", r"does not return classify.heads.Pooled"),
        (f"{BROKEN}:ForwardsOtherwise", r"does not return classify\(pool\(vectors, mask\).rows\). Return that"),
        (f"{BROKEN}:ClassifiesTwoDimensionsOnly", r"Allow any dimensions before B"),
        (f"{__name__}:build_broken_for_clip", r"NaN or infinity"),
    ],
    ids=lambda text: text.partition(":")[2] if ":" in text else "",
)
def test_a_broken_head_is_refused_with_its_package_and_what_to_do(
    install: Callable[[str], None], value: str, message: str
) -> None:
    install(value)

    with pytest.raises(HeadError, match=message) as caught:
        build_head("foreign", 512, 3)

    said = str(caught.value)
    assert said.startswith(f"The head 'foreign' of the package foreign-heads 1.0 ({value}) ")
    assert said.endswith("choose another head.")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module:Head", r"does not work: ModuleNotFoundError: No module named 'no_such_module'"),
        ("classify.heads.linear:NoSuchHead", r"does not work: AttributeError: .*no attribute 'NoSuchHead'"),
        (f"{BROKEN}:CLASSES", r"does not work: AttributeError"),
        (f"{BROKEN}:build_without_sizes", r"does not work: TypeError: build_without_sizes\(\) takes 0"),
        ("classify.heads.testing:HEAD_CHECKS", r"does not work: TypeError: .*is not a callable"),
    ],
)
def test_what_cannot_be_loaded_or_built_is_refused(install: Callable[[str], None], value: str, message: str) -> None:
    install(value)

    with pytest.raises(HeadError, match=f"foreign-heads 1.0.*{message}.*Update or uninstall the package, or choose"):
        list_options("foreign")


def test_a_head_is_checked_once_and_small(install: Callable[[str], None]) -> None:
    install(f"{__name__}:CountingHead")

    assert list_options("foreign") == {"dimension", "class_count", "dropout"}
    checked = len(built)
    build_head("foreign", 512, 3, options={"dropout": 0.1})

    assert set(built[:checked]) == {16}
    assert built[checked:] == [512]


def test_a_head_for_one_encoder_is_checked_with_its_dimension(install: Callable[[str], None]) -> None:
    install(f"{__name__}:build_for_clip")

    assert build_head("foreign", 512, 3).head.linear.in_features == 512
    with pytest.raises(HeadError, match=r"^takes vectors of 512 dimensions only"):
        build_head("foreign", 16, 3)


def test_the_check_changes_no_weight_that_is_drawn_later(install: Callable[[str], None]) -> None:
    torch.manual_seed(0)
    expected = MeanHead(16, 3).linear.weight
    install(f"{BROKEN}:MeanHead")

    torch.manual_seed(0)
    found = build_head("foreign", 16, 3).head.linear.weight

    assert torch.equal(found, expected)


def test_a_head_that_is_first_built_without_memory_is_checked_all_the_same(install: Callable[[str], None]) -> None:
    install(f"{BROKEN}:ReadsPadding")

    with torch.device("meta"), pytest.raises(HeadError, match="content of padding"):
        build_head("foreign", 16, 3)
