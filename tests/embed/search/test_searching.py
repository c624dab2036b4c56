"""Search against a plain NumPy calculation, and what its hits say."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from embed import EmbedConfig, EmbeddingStore, StoreWriter, UniformFrames, VideoRecord, embed_videos, load_encoder
from embed.errors import EncoderError, SourceError
from embed.search import SearchConfig, Term, VideoSearcher, parse_terms, search_store
from embed.store import Provenance
from tests.embed.encoders.frames import SMALL_CLIP
from tests.embed.stores import PROVENANCE
from tests.media import write_video

D = PROVENANCE.encoder.dimension
MakeStore = Callable[..., Path]


@pytest.fixture
def make_store(tmp_path: Path) -> MakeStore:
    """Write a store of id -> vectors (T, D), a second apart."""

    def make(videos: dict[str, NDArray[np.floating]], *, made_by: Provenance = PROVENANCE, name: str = "s.h5") -> Path:
        with StoreWriter(tmp_path / name, made_by) as writer:
            for video_id, vectors in videos.items():
                writer.append(VideoRecord(video_id, location=f"/videos/{video_id}"), vectors, np.arange(len(vectors)))
        return tmp_path / name

    return make


@pytest.fixture
def random_videos() -> dict[str, NDArray[np.floating]]:
    rng = np.random.default_rng(0)
    return {f"{number:02d}.mp4": rng.normal(size=(rng.integers(1, 9), D)) for number in range(30)}


@pytest.mark.parametrize("name", ["s.h5", "shards"])
def test_the_best_rows_are_those_of_a_plain_calculation(
    make_store: MakeStore, random_videos: dict[str, NDArray[np.floating]], name: str
) -> None:
    path = make_store(random_videos, name=name)
    rows = {video_id: np.asarray(v, np.float16).astype(np.float64) for video_id, v in random_videos.items()}
    query = rows["07.mp4"][0] / np.linalg.norm(rows["07.mp4"][0])
    best = {video_id: (v @ query / np.linalg.norm(v, axis=1)) for video_id, v in rows.items() if video_id != "07.mp4"}
    expected = sorted(((float(s.max()), video_id, int(s.argmax())) for video_id, s in best.items()), reverse=True)[:10]

    found = search_store(path, [Term(video="07.mp4", at_s=0.2)], SearchConfig(count=10, hits_per_video=1)).hits

    assert [(hit.video_id, hit.best_s) for hit in found] == [(name, float(place)) for _, name, place in expected]
    np.testing.assert_allclose([hit.score for hit in found], [score for score, *_ in expected], atol=1e-5)
    assert found[0].location == f"/videos/{found[0].video_id}"


def test_blocks_and_kept_rows_change_nothing(
    make_store: MakeStore, random_videos: dict[str, NDArray[np.floating]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, threads = make_store(random_videos), torch.get_num_threads()
    term = [Term(video="03.mp4")]
    whole = search_store(path, term)
    monkeypatch.setattr("embed.search.scoring._BLOCK_BYTES", 5 * D * 2)  # of five rows
    monkeypatch.setattr("embed.search.scoring._ROWS_AT_ONCE", 2)

    with VideoSearcher(path) as searcher:
        found = [searcher.search(term), searcher.search(term), search_store(path, term)]  # the second of rows kept

    for one in found:
        assert [(hit.video_id, hit.best_s) for hit in one.hits] == [(hit.video_id, hit.best_s) for hit in whole.hits]
        np.testing.assert_allclose([hit.score for hit in one.hits], [hit.score for hit in whole.hits], atol=1e-6)
    assert torch.get_num_threads() == threads


def test_a_scene_is_one_hit_with_its_span_and_its_best_moment(make_store: MakeStore) -> None:
    look, other = np.eye(D)[0], np.eye(D)[1]
    scene = [other, other, look + 0.3 * other, look, look + 0.2 * other, other, other, look + 0.5 * other, other]
    path = make_store({"a.mp4": np.array(scene), "like.mp4": look[None], "b.mp4": np.array([other] * 4)})

    found = search_store(path, [Term(video="like.mp4")]).hits

    assert [(hit.video_id, hit.start_s, hit.end_s, hit.best_s) for hit in found[:2]] == [
        ("a.mp4", 2, 4, 3),
        ("a.mp4", 7, 7, 7),
    ]


def test_terms_are_added_and_subtracted_whatever_their_scale(make_store: MakeStore) -> None:
    beach, dog, snow = np.eye(D)[:3]
    videos = {
        "beach.mp4": beach,
        "dog.mp4": dog,
        "snow.mp4": snow,
        "dog on beach.mp4": dog + beach,
        "dog in snow.mp4": dog + snow,
        "both.mp4": dog + beach + snow,
    }
    path = make_store({name: vector[None] for name, vector in videos.items()})

    added = search_store(path, [Term(video="dog.mp4"), Term(video="beach.mp4")])
    without = search_store(path, [Term(video="dog.mp4"), Term(video="snow.mp4", sign=-1)])

    assert added.hits[0].video_id == "dog on beach.mp4"
    assert without.hits[0].video_id == "dog on beach.mp4"
    assert without.hits[1].score < 0.5 * without.hits[0].score  # a dog in snow
    assert added.how == "mean of the terms' standardised scores"


def test_only_wanted_videos_are_hits(make_store: MakeStore, random_videos: dict[str, NDArray[np.floating]]) -> None:
    path = make_store(random_videos)
    found = search_store(path, [Term(video="03.mp4")], is_wanted=lambda name: name < "05")
    assert {hit.video_id for hit in found.hits} == {"00.mp4", "01.mp4", "02.mp4", "04.mp4"}
    assert search_store(path, [Term(video="03.mp4")], ids=[]).hits == ()


def test_a_row_of_zeros_and_an_empty_store_are_no_hits(make_store: MakeStore) -> None:
    path = make_store({"a.mp4": np.eye(D)[:1], "zero.mp4": np.zeros((2, D)), "b.mp4": np.eye(D)[:1]})
    found = search_store(path, [Term(video="a.mp4")]).hits
    assert found[0].video_id == "b.mp4"
    with pytest.raises(SourceError, match="vector of length 0, which points nowhere"):
        search_store(path, [Term(video="zero.mp4")])


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([], "Every term of the search is subtracted"),
        ([Term(video="a.mp4", sign=-1)], "Every term of the search is subtracted"),
        ([Term(video="nowhere.mp4")], "'nowhere.mp4' is neither the id of a video in .* nor a file"),
    ],
)
def test_what_cannot_be_searched_is_an_error(make_store: MakeStore, terms: list[Term], message: str) -> None:
    path = make_store({"a.mp4": np.eye(D)[:2]})
    with pytest.raises(SourceError, match=message):
        search_store(path, terms)


@pytest.mark.parametrize("query", ['"a dog" "snow"', '"a dog" + ', '"a dog', '- "snow" +', '"" + "a"'])
def test_queries_that_are_not_understood_are_refused(query: str) -> None:
    with pytest.raises(SourceError):
        parse_terms(query)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos that differ in their frames."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(3):
        write_video(folder / f"{number}.mp4", 6, numbers=[number * 300 + place for place in range(6)])
    return folder


def test_texts_pictures_and_new_videos_are_encoded_as_the_store_was(
    clips: Path, checkpoint: Path, tmp_path: Path
) -> None:
    config = EmbedConfig(model=SMALL_CLIP, pretrained=str(checkpoint), sampling=UniformFrames(3), device="cpu")
    embed_videos(clips, tmp_path / "e.h5", config)
    encoder = load_encoder(SMALL_CLIP, pretrained=str(checkpoint), device="cpu")
    with EmbeddingStore(tmp_path / "e.h5") as store:
        rows = np.concatenate([store.read(video_id).vectors for video_id in store.ids]).astype(np.float32)
    (text,) = encoder.encode_texts(["a dog"])  # type: ignore[attr-defined]
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 160, 3), dtype=np.uint8)).save(tmp_path / "p.png")

    with VideoSearcher(tmp_path / "e.h5", SearchConfig(device="cpu")) as searcher:
        of_text = searcher.search([Term(text="a dog")])
        of_picture = searcher.search(parse_terms(str(tmp_path / "p.png")))
        of_file = searcher.search([Term(video=str(clips / "1.mp4"))])

    assert of_text.how == "cosine with the encoder's own texts"
    np.testing.assert_allclose(of_text.hits[0].score, (rows @ text / np.linalg.norm(rows, axis=1)).max(), atol=1e-3)
    assert of_picture.how == "cosine with the example"
    assert len(of_picture.hits) >= 3
    assert of_file.hits[0].video_id == "1.mp4"  # the same video, in another place
    assert of_file.hits[0].score > 0.99


def test_imagenet_words_find_a_cockatoo_and_say_which_classes(odd_videos: Path, tmp_path: Path) -> None:
    names = ["imageio/cockatoo.mp4", "decord/flipping_a_pancake.mkv", "torchcodec/nasa_13013.mp4"]
    for name in names:
        (tmp_path / "videos").mkdir(exist_ok=True)
        (tmp_path / "videos" / Path(name).name).symlink_to(odd_videos / name)
    config = EmbedConfig(model="efficientnet-lite0", sampling=UniformFrames(4), device="cpu")
    embed_videos(tmp_path / "videos", tmp_path / "e.h5", config)

    found = search_store(tmp_path / "e.h5", [Term(text="a macaw, a tropical bird")])

    assert found.hits[0].video_id == "cockatoo.mp4"
    assert found.how == "ImageNet words"
    assert "macaw" in found.words


def test_a_store_whose_encoder_knows_no_words_says_what_can_be_searched(make_store: MakeStore) -> None:
    path = make_store({"a.mp4": np.eye(D)[:2]})
    with pytest.raises(EncoderError):
        search_store(path, [Term(text="a dog")])
