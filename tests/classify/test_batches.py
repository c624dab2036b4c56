import numpy as np
import pytest
import torch

from classify.batches import DeviceSet, LabelledSet, VideoSet
from classify.errors import ClassifyError
from classify.heads import build_head
from classify.heads.random_frame import choose_row

CPU = torch.device("cpu")


@pytest.fixture
def videos() -> VideoSet:
    """Videos of 1, 3 and 2 vectors of 2 dimensions, 0 to 11 in their order."""
    vectors = np.arange(12, dtype=np.float16).reshape(6, 2)
    return VideoSet(("a", "b", "c"), vectors, np.array([1, 3, 2]))


def test_a_batch_holds_the_videos_at_its_indices_padded_to_their_longest(videos: VideoSet) -> None:
    targets = np.array([[True, False], [False, True], [True, True]])

    batch = DeviceSet(videos, build_head("linear", 2, 2), CPU, targets=targets).batch(np.array([2, 0]))

    assert batch.vectors.tolist() == [[[8, 9], [10, 11]], [[0, 1], [0, 0]]]
    assert batch.mask.tolist() == [[True, True], [True, False]]
    assert batch.targets.tolist() == [[1, 1], [1, 0]]


def test_a_batch_is_float32_whatever_the_store_holds(videos: VideoSet) -> None:
    batch = DeviceSet(videos, build_head("linear", 2, 2), CPU).batch(np.array([1]))

    assert batch.vectors.dtype == torch.float32


def test_a_head_that_selects_makes_batches_of_what_it_selected(videos: VideoSet) -> None:
    batch = DeviceSet(videos, build_head("random-frame", 2, 2), CPU).batch(np.array([0, 1, 2]))

    rows = [choose_row("a", 1), 1 + choose_row("b", 3), 4 + choose_row("c", 2)]
    assert batch.mask.tolist() == [[True]] * 3
    assert batch.vectors[:, 0].tolist() == videos.vectors[rows].tolist()


def test_row_counts_that_do_not_fit_the_rows_are_refused() -> None:
    with pytest.raises(ClassifyError, match=r"with sum 5 and 6 rows do not fit.*one row count a video"):
        VideoSet(("a", "b"), np.zeros((6, 2), dtype=np.float32), np.array([2, 3]))


def test_a_video_without_vectors_is_refused() -> None:
    with pytest.raises(ClassifyError, match=r"'b' has no vectors.*Leave it out"):
        VideoSet(("a", "b"), np.zeros((2, 2), dtype=np.float32), np.array([2, 0]))


def test_targets_of_another_shape_are_refused(videos: VideoSet) -> None:
    with pytest.raises(ClassifyError, match=r"bool \(2, 2\), but the videos and names say bool \(3, 2\)"):
        LabelledSet(videos, ("x", "y"), np.zeros((2, 2), dtype=np.bool_))
