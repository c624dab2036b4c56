from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from classify.heads.random_frame import choose_row
from classify.heads.registry import HEADS, build_head
from classify.training.batches import VideoBatch, VideoSet, open_videos, take_videos
from classify.training.device_sets import DeviceSet, PooledSet, StreamedSet, place_videos
from classify.training.logits import predict_probabilities
from classify.training.mixup import Step, mix_batches
from embed import EmbeddingStore

CPU = torch.device("cpu")
NO_TARGETS = np.zeros((3, 0), dtype=np.bool_)


@pytest.fixture
def videos() -> VideoSet:
    """Videos of 1, 3 and 2 vectors of 2 dimensions, 0 to 11 in their order."""
    vectors = np.arange(12, dtype=np.float16).reshape(6, 2)
    return VideoSet(("a", "b", "c"), vectors, np.array([1, 3, 2]))


def frames_of(videos: VideoSet, indices: Sequence[int], targets: NDArray[np.bool_] = NO_TARGETS) -> VideoBatch:
    """Return the batch of a head that sees every vector as it is."""
    data = DeviceSet(videos, build_head("rnn", 2, 2), CPU, targets)
    return next(data.batches([Step(np.array(indices))]))


def bytes_of(tensor: torch.Tensor | None) -> bytes | None:
    return None if tensor is None else tensor.numpy().tobytes()


def test_a_batch_holds_the_videos_at_its_indices_padded_to_their_longest(videos: VideoSet) -> None:
    batch = frames_of(videos, [2, 0], np.array([[True, False], [False, True], [True, True]]))

    assert batch.vectors.tolist() == [[[8, 9], [10, 11]], [[0, 1], [0, 0]]]
    assert batch.mask is not None
    assert batch.mask.tolist() == [[True, True], [True, False]]
    assert batch.targets.tolist() == [[1, 1], [1, 0]]


def test_a_batch_is_float32_whatever_the_store_holds(videos: VideoSet) -> None:
    assert frames_of(videos, [1]).vectors.dtype == torch.float32


def test_a_selecting_head_gets_the_vectors_that_it_selected(videos: VideoSet) -> None:
    data = place_videos(videos, build_head("random-frame", 2, 2), CPU)

    batch = next(data.batches([Step(np.array([0, 1, 2]))]))

    rows = [choose_row("a", 1), 1 + choose_row("b", 3), 4 + choose_row("c", 2)]
    assert batch.vectors.tolist() == videos.vectors[rows].tolist()


def test_a_pooling_head_gets_one_row_for_each_video(videos: VideoSet) -> None:
    data = place_videos(videos, build_head("linear", 2, 2), CPU)

    batch = next(data.batches([Step(np.array([2, 1]))]))

    assert isinstance(data, PooledSet)
    assert batch.mask is None
    assert batch.vectors.tolist() == [[9, 10], [4, 5]]


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("arch", ["linear", "mlp", "moe", "random-frame"])
def test_the_mix_of_means_is_the_mean_of_the_mix_also_where_lengths_differ(
    videos: VideoSet, arch: str, weight: float
) -> None:
    head = build_head(arch, 2, 2).eval()
    targets = np.eye(3, dtype=np.bool_)
    first, second = np.array([0, 1, 2]), np.array([1, 2, 1])
    frames = DeviceSet(videos, head, CPU, targets)
    one, other = frames.batches([Step(first), Step(second)])
    mixed = mix_batches(one, other, weight)

    pooled = next(place_videos(videos, head, CPU, targets=targets).batches([Step(first, second, weight)]))

    torch.testing.assert_close(head.classify(pooled.vectors), head(mixed.vectors, mixed.mask))
    torch.testing.assert_close(pooled.targets, mixed.targets)


def test_statistics_are_mixed_as_they_are(videos: VideoSet) -> None:
    data = place_videos(videos, build_head("statistics", 2, 2), CPU)
    one, other = (batch.vectors for batch in data.batches([Step(np.array([0])), Step(np.array([1]))]))

    mixed = next(data.batches([Step(np.array([0]), np.array([1]), 0.25)])).vectors

    torch.testing.assert_close(mixed, 0.25 * one + 0.75 * other)


@pytest.fixture
def uneven() -> VideoSet:
    """Videos of 10 vectors each, among them one of 20,000."""
    counts = np.full(80, 10)
    counts[40] = 20_000
    rows = np.random.default_rng(0).standard_normal((counts.sum(), 64)).astype(np.float16)
    return VideoSet(tuple(map(str, range(80))), rows, counts)


@pytest.mark.parametrize("arch", ["statistics", "motion", "rnn", "nextvlad"])
def test_a_long_video_does_not_lengthen_its_neighbours_beyond_memory(
    uneven: VideoSet, arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = build_head(arch, 64, 3).eval()
    own = [predict_probabilities(head, take_videos(uneven, np.array([index])), None)[0] for index in (39, 40, 41)]
    name, sizes = "pool" if head.pools else "forward", []
    given = getattr(type(head.head), name)

    def watch(module: torch.nn.Module, vectors: torch.Tensor, mask: torch.Tensor) -> object:
        sizes.append(mask.numel())
        return given(module, vectors, mask)

    monkeypatch.setattr(type(head.head), name, watch)
    found = predict_probabilities(head, uneven, None)

    assert max(sizes) * 64 <= 1 << 24  # 64 MB, where 64 videos of its length would have five times as much
    np.testing.assert_allclose(found[39:42], own, rtol=1e-4)


def test_videos_alike_are_taken_64_at_once(uneven: VideoSet) -> None:
    alike = take_videos(uneven, np.delete(np.arange(80), 40))

    data = place_videos(alike, build_head("rnn", 64, 3), CPU)

    assert [len(block) for block in data.blocks(np.arange(79))] == [64, 15]


def test_a_head_that_thins_long_videos_takes_them_as_short_ones(uneven: VideoSet) -> None:
    data = place_videos(uneven, build_head("rnn", 64, 3, max_frames=10), CPU)

    assert [len(block) for block in data.blocks(np.arange(80))] == [64, 16]


def test_many_steps_are_gathered_in_pieces_and_come_in_order(videos: VideoSet) -> None:
    data = place_videos(videos, build_head("linear", 2, 2), CPU)
    order = np.random.default_rng(0).integers(0, 3, 150)

    rows = [batch.vectors for batch in data.batches([Step(order[[place]]) for place in range(150)])]

    assert torch.equal(torch.cat(rows), torch.tensor([[0.0, 1], [4, 5], [9, 10]])[order])


@pytest.mark.parametrize(
    ("arch", "options"),
    [
        *(pytest.param(arch, {}, id=arch) for arch in sorted(HEADS)),
        pytest.param("transformer", {"positions": "timestamps"}, id="timestamps"),
    ],
)
@pytest.mark.parametrize("mixes", [False, True], ids=["plain", "mixup"])
def test_batches_from_disk_are_those_from_memory_bit_by_bit(
    toy_store: Path, arch: str, options: dict[str, str], mixes: bool
) -> None:
    rng = np.random.default_rng(0)
    head = build_head(arch, 16, 3, project=8, max_frames=4, options=options)
    head.learn_scale([rng.normal(size=(50, 16))])
    steps = [Step(rng.integers(0, 60, 7), rng.integers(0, 60, 7) if mixes else None, 0.3) for _ in range(12)]
    targets = rng.random((60, 3)) < 0.5

    with EmbeddingStore(toy_store) as store:
        found = [
            list(place_videos(open_videos(store, store.ids, stream=stream), head, CPU, targets=targets).batches(steps))
            for stream in (False, True)
        ]

    assert all(
        bytes_of(getattr(one, name)) == bytes_of(getattr(other, name))
        for one, other in zip(*found, strict=True)
        for name in ("vectors", "mask", "targets", "timestamps_s")
    )
    assert (found[0][0].timestamps_s is not None) == head.is_timed


def test_an_error_while_reading_ahead_reaches_the_step_that_needs_it(toy_store: Path) -> None:
    with EmbeddingStore(toy_store) as store:
        data = StreamedSet(
            open_videos(store, store.ids, stream=True), build_head("rnn", 16, 3), CPU, np.zeros((60, 0), dtype=np.bool_)
        )
        batches = data.batches([Step(np.array([0])), Step(np.array([60]))])
        next(batches)
        with pytest.raises(IndexError):
            next(batches)
