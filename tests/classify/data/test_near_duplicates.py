from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from classify.data.labels import LabelTable
from classify.data.near_duplicates import group_near_duplicates
from classify.data.splits import SplitConfig, fold_table, read_table, split_videos
from embed import EmbedConfig, EmbeddingStore, UniformFrames, embed_videos
from embed.search import NearDuplicates, find_near_duplicates


def encode_again(source: Path, goal: Path) -> Path:
    """Write a video anew with H.264 at the quality that x264 takes by default, in another container."""
    goal.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(source)) as reading, av.open(str(goal), "w") as writing:
        read = reading.streams.video[0]
        written = writing.add_stream("libx264", rate=read.average_rate, options={"crf": "23", "preset": "veryfast"})
        written.width, written.height, written.pix_fmt = read.width, read.height, "yuv420p"
        for frame in reading.decode(read):
            picture = frame.reformat(format="yuv420p")
            picture.pts = None
            writing.mux(written.encode(picture))
        writing.mux(written.encode(None))
    return goal


@pytest.fixture
def reuploaded(ut_interaction6: Path, tmp_path: Path) -> Path:
    """A store of four clips of one sequence (the same people and place), and of two of them encoded again."""
    clips = sorted(ut_interaction6.rglob("set1_*_2_*.avi"))[:4]
    for clip in clips:
        goal = tmp_path / "videos" / clip.parent.name / clip.name
        goal.parent.mkdir(parents=True, exist_ok=True)
        goal.write_bytes(clip.read_bytes())
    for clip in clips[:2]:
        encode_again(clip, tmp_path / "videos" / clip.parent.name / f"again-{clip.stem}.mp4")
    config = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(8), device="cpu")
    embed_videos([tmp_path / "videos"], tmp_path / "embeddings.h5", config)
    return tmp_path / "embeddings.h5"


def test_real_clips_encoded_again_are_found_and_other_clips_of_their_scene_are_not(reuploaded: Path) -> None:
    with EmbeddingStore(reuploaded) as store:
        found = find_near_duplicates(store, store.ids)

    copies = [video_id for video_id in store.ids if "again-" in video_id]
    assert len(copies) == 2
    assert sorted((one, other) for one, other, _ in found.pairs) == sorted(
        (copy, copy.replace("again-", "").replace(".mp4", ".avi")) for copy in copies
    )


@pytest.fixture
def many(make_store: Callable[..., Path]) -> EmbeddingStore:
    """60 videos of 1 to 12 vectors; each even one is followed by a copy of it with a little noise."""
    rng = np.random.default_rng(0)
    videos = {}
    for number in range(0, 60, 2):
        video = rng.standard_normal((number % 12 + 1, 16))
        videos[f"{number:02d}"] = video
        videos[f"{number + 1:02d}"] = video + 0.05 * rng.standard_normal(video.shape)
    return EmbeddingStore(make_store(videos))


def test_copies_are_found_whatever_the_blocks(many: EmbeddingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [(f"{number:02d}", f"{number + 1:02d}") for number in range(0, 60, 2)]
    whole = find_near_duplicates(many, many.ids)
    monkeypatch.setattr("embed.search.near_duplicates._BLOCK_VIDEOS", 7)
    monkeypatch.setattr("embed.search.near_duplicates._BLOCK_ROWS", 20)
    monkeypatch.setattr("embed.search.near_duplicates._BLOCK_PAIRS", 3)

    blocks = find_near_duplicates(many, many.ids)

    assert [pair[:2] for pair in whole.pairs] == expected
    assert sorted(pair[:2] for pair in blocks.pairs) == expected


def test_the_same_pictures_in_another_order_are_no_copy(make_store: Callable[..., Path]) -> None:
    video = np.random.default_rng(0).standard_normal((16, 16))
    store = EmbeddingStore(make_store({"a": video, "b": video[::-1]}))

    found = find_near_duplicates(store, store.ids)

    assert found.pairs == ()
    assert found.nearest is not None
    assert found.nearest[:2] == ("a", "b")


def test_vectors_of_zeros_are_like_nothing(make_store: Callable[..., Path]) -> None:
    store = EmbeddingStore(make_store({"a": np.zeros((2, 16)), "b": np.zeros((2, 16))}))

    assert find_near_duplicates(store, store.ids) == NearDuplicates((), None)


def test_copies_join_their_groups_and_those_joined_already() -> None:
    labels = {name: ["x"] for name in "abcde"}
    table = LabelTable.from_labels(labels, groups={"a": "g1", "b": "g1", "c": "g2", "d": "g3", "e": "g4"})
    found = NearDuplicates((("b", "c", 0.99), ("c", "d", 0.95)), ("d", "e", 0.9))

    joined = group_near_duplicates(table, found)

    assert joined.groups == ("g1", "g1", "g1", "g1", "g4")
    assert joined.notes == (
        "2 pairs of near duplicates (least similar: c and d, 0.950) joined 2 groups to others; "
        "most similar pair left apart: d and e, 0.900.",
    )


def test_without_groups_copies_make_groups_and_others_stay_alone() -> None:
    table = LabelTable.from_labels({name: ["x"] for name in "abc"})

    assert group_near_duplicates(table, NearDuplicates((("a", "c", 0.99),), None)).groups == ("a", "b", "a")


def test_a_split_keeps_copies_in_one_part(many: EmbeddingStore, tmp_path: Path) -> None:
    rows = "".join(f"{number:02d},{'xy'[number % 4 // 2]}\n" for number in range(60))
    (tmp_path / "labels.csv").write_text(f"id,label\n{rows}")

    summary = split_videos(
        many.path,
        tmp_path / "split.csv",
        labels=tmp_path / "labels.csv",
        config=SplitConfig(near_duplicates=0.93, test_size=0.2),
    )

    assert summary.video_counts == {"train": 42, "validation": 6, "test": 12}
    assert summary.group_counts == {"train": 21, "validation": 3, "test": 6}


@pytest.mark.parametrize("seed", range(3))
def test_copies_never_straddle_a_fold(many: EmbeddingStore, tmp_path: Path, seed: int) -> None:
    rows = "".join(f"{number:02d},{'xy'[number % 4 // 2]}\n" for number in range(60))
    (tmp_path / "labels.csv").write_text(f"id,label\n{rows}")
    config = SplitConfig(near_duplicates=0.93, validation_size=0.1, seed=seed)

    table = read_table(many.path, tmp_path / "labels.csv", config)

    parts = np.array([split.parts for split in fold_table(table, 5, config)])
    assert (parts[:, ::2] == parts[:, 1::2]).all()
    assert ((parts == "test").sum(axis=0) == 1).all()
