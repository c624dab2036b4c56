from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from embed.decode_pool import DecodedVideo
from embed.encoders.contract import ReadyVectors
from embed.errors import EncoderError
from embed.run.encoding import Batch, EncodedVideo, encode_batches, fill_batches, vectors_of_videos
from embed.store.records import Failure, VideoRecord

BATCH_SIZE = 4


def video(name: str, levels: list[int]) -> DecodedVideo:
    """A video of 2 x 2 pixels. `levels` are the brightness of its frames."""
    places = np.arange(len(levels))[:, None]
    return DecodedVideo(
        VideoRecord(name), grey(levels), places, np.arange(len(levels), dtype=np.float64), np.zeros((len(levels), 2))
    )


def grey(levels: list[int]) -> NDArray[np.uint8]:
    return np.array(levels, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), dtype=np.uint8)


def test_clips_that_share_frames_are_put_together_in_their_batch() -> None:
    places = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    clips = DecodedVideo(VideoRecord("a"), grey([1, 2, 3, 3, 3]), places, np.zeros(4), np.zeros((4, 2)))

    batches = [item for item in fill_batches([clips], 2) if isinstance(item, Batch)]

    # The last clip has other frames than the one before, but the same pixels: it is not encoded.
    assert [batch.rgb[..., 0, 0, 0].tolist() for batch in batches] == [[[1, 2], [2, 3]], [[3, 3], [0, 0]]]
    assert batches[-1].ended[0].window_of.tolist() == [0, 1, 2, 2]


class Counting:
    """An encoder that returns the brightness of a frame, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __call__(self, rgb: NDArray[np.uint8]) -> ReadyVectors:
        self.batches.append(rgb[:, 0, 0, 0, 0].tolist())
        return ReadyVectors(brightness(rgb))


def brightness(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return rgb[:, 0, 0, 0, :1].astype(np.float32)


def run(*results: DecodedVideo | Failure) -> tuple[dict[str, list[float]], list[list[int]]]:
    """Return the vectors of each video, or its reason, and the batches that were encoded."""
    encode = Counting()
    outcomes: dict[str, list[float]] = {}
    for item in vectors_of_videos(encode_batches(fill_batches(results, BATCH_SIZE), encode)):
        if isinstance(item, EncodedVideo):
            outcomes[item.video.record.id] = item.vectors[:, 0].tolist()
    return outcomes, encode.batches


def test_batches_have_one_size_and_cross_videos_and_the_last_is_filled_with_black() -> None:
    vectors, batches = run(video("a", [1, 2, 3]), video("b", [4, 5]), video("c", [6]))
    assert batches == [[1, 2, 3, 4], [5, 6, 0, 0]]
    assert vectors == {"a": [1, 2, 3], "b": [4, 5], "c": [6]}


@pytest.mark.parametrize(
    ("vectors", "found"), [(None, "None"), (np.ones((1, 3), np.float32), r"array \(1, 3\)"), (np.ones(4), r"\(4,\)")]
)
def test_an_encoder_without_a_row_for_each_window_is_told(vectors: object, found: str) -> None:
    def encode(_: NDArray[np.uint8]) -> ReadyVectors:
        return ReadyVectors(cast("NDArray[np.float32]", vectors))

    with pytest.raises(EncoderError, match=rf"must return an array \(B, D\), a row for each window.*{found}"):
        list(encode_batches(fill_batches([video("a", [1, 2, 3])], BATCH_SIZE), encode))


def test_a_video_of_many_batches_is_returned_as_one() -> None:
    levels = list(range(1, 12))
    vectors, batches = run(video("a", [99]), video("b", levels), video("c", [50]))
    assert vectors == {"a": [99], "b": levels, "c": [50]}
    assert [len(batch) for batch in batches] == [4, 4, 4, 4]


def test_a_frame_like_the_one_before_is_not_encoded_again() -> None:
    vectors, batches = run(video("slides", [7, 7, 7, 8, 8, 7]), video("other", [7, 7]))
    assert batches == [[7, 8, 7, 7]]
    assert vectors == {"slides": [7, 7, 7, 8, 8, 7], "other": [7, 7]}


def test_failures_pass_through_in_order() -> None:
    failure = Failure("broken", "broken.mp4", "unreadable", "no header")
    items = list(vectors_of_videos(encode_batches(fill_batches([failure, video("a", [1])], BATCH_SIZE), Counting())))
    assert items[0] is failure
    assert isinstance(items[1], EncodedVideo)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 9])
def test_a_batch_leaves_as_soon_as_it_is_full(count: int) -> None:
    taken = 0

    def videos() -> Iterator[DecodedVideo]:
        nonlocal taken
        for taken in range(1, 100):
            yield video(str(taken), list(range(1, count + 1)))

    next(fill_batches(videos(), BATCH_SIZE))
    assert taken == -(-BATCH_SIZE // count)


def test_the_next_batch_begins_while_one_is_computed() -> None:
    has_second_begun = Event()
    begun: list[int] = []

    def begin(rgb: NDArray[np.uint8]) -> Future[NDArray[np.float32]]:
        begun.append(int(rgb[0, 0, 0, 0, 0]))
        if len(begun) == 2:
            has_second_begun.set()
        return device.submit(lambda: brightness(rgb) if has_second_begun.wait(5) else rgb[:0, 0, 0, 0, 0])

    failure = Failure("broken", "broken.mp4", "unreadable", "no header")
    results = [video("a", [1, 2, 3, 4, 5]), failure, video("b", [6, 7, 8, 9])]
    with ThreadPoolExecutor(1) as device:
        items = list(vectors_of_videos(encode_batches(fill_batches(results, BATCH_SIZE), begin)))
    vectors = {item.video.record.id: item.vectors[:, 0].tolist() for item in items if isinstance(item, EncodedVideo)}
    assert vectors == {"a": [1, 2, 3, 4, 5], "b": [6, 7, 8, 9]}
    assert begun == [1, 5, 9]
    assert failure in items


def test_a_finished_batch_does_not_wait_for_others() -> None:
    def batches() -> Iterator[Batch]:
        yield Batch(np.ones((1, 1, 2, 2, 3), np.uint8), 1, ())
        pytest.fail("the next batch was taken first")

    _, vectors = cast("tuple[Batch, NDArray[np.float32]]", next(encode_batches(batches(), Counting())))
    assert vectors.tolist() == [[1]]
