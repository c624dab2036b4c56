from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import assume, given, strategies as st

from classify.data.label_sources.label_files import compose
from classify.data.label_sources.matching import Located, match_videos, spell
from classify.data.labels import read_labels
from classify.errors import LabelError
from classify.files import csv_text, write_whole
from embed import EmbeddingStore, Failure, Provenance, StoreWriter, VideoRecord

ACUTE, COMPOSED = "cafe\u0301", "caf\u00e9"


@dataclass(frozen=True)
class Place:
    """A place."""

    location: str


@dataclass(frozen=True)
class Listing:
    """Videos by id, with their locations."""

    places: Mapping[str, str]
    failures: Sequence[Failure] = ()
    path: Path = Path("embeddings.h5")

    @property
    def ids(self) -> list[str]:
        """All ids."""
        return list(self.places)

    def __contains__(self, video_id: object) -> bool:
        return video_id in self.places

    def video(self, video_id: str) -> Located:
        """Return the place of a video."""
        return Place(self.places[video_id])


FOLDERS = Listing(
    {
        "hug/a.mp4": "/data/videos/hug/a.mp4",
        "hug/0001.mp4": "/data/videos/hug/0001.mp4",
        "kick/0001.mp4": "/data/videos/kick/0001.mp4",
        f"kick/{ACUTE}.avi": f"/data/videos/kick/{ACUTE}.avi",
    }
)
FLAT = Listing({"a.mp4": "/data/videos/hug/a.mp4", "b.avi": "/data/videos/hug/b.avi"})
NAMED = Listing({"v1": "/data/videos/hug/a.mp4", "v2": "/data/videos/kick/b.mp4"})
FILE = Path("/data/lists/labels.csv")


def meant(name: str, videos: Listing, *others: str) -> str:
    return match_videos([name, *others], videos, FILE).ids[name]


@pytest.mark.parametrize(
    ("name", "videos", "video_id"),
    [
        ("hug/a.mp4", FOLDERS, "hug/a.mp4"),
        ("/data/videos/hug/a.mp4", FOLDERS, "hug/a.mp4"),
        ("../videos/hug/a.mp4", FOLDERS, "hug/a.mp4"),
        ("./hug/a.mp4", FOLDERS, "hug/a.mp4"),
        (".\\hug\\a.mp4", FOLDERS, "hug/a.mp4"),
        ("hug\\a.mp4", FOLDERS, "hug/a.mp4"),
        ("..\\videos\\hug\\a.MP4", FOLDERS, "hug/a.mp4"),
        ("hug/a.MP4", FOLDERS, "hug/a.mp4"),
        (f"kick/{COMPOSED}.avi", FOLDERS, f"kick/{ACUTE}.avi"),
        (f"kick\\{COMPOSED}.AVI", FOLDERS, f"kick/{ACUTE}.avi"),
        ("videos/hug/a.mp4", FOLDERS, "hug/a.mp4"),
        ("D:\\old set\\hug\\a.mp4", FOLDERS, "hug/a.mp4"),
        ("/elsewhere/kick/0001.mp4", FOLDERS, "kick/0001.mp4"),
        ("a.mp4", FOLDERS, "hug/a.mp4"),
        (f"{COMPOSED}.AVI", FOLDERS, f"kick/{ACUTE}.avi"),
        ("a", FOLDERS, "hug/a.mp4"),
        ("hug/0001", FOLDERS, "hug/0001.mp4"),
        ("hug/a.mp4", FLAT, "a.mp4"),
        ("/old/clips/a.mp4", FLAT, "a.mp4"),
        ("B.AVI", FLAT, "b.avi"),
        ("Hug/A.MP4", FOLDERS, "hug/a.mp4"),
        ("D:\\Old\\HUG\\A.mp4", FOLDERS, "hug/a.mp4"),
        ("VIDEOS/KICK/0001.MP4", FOLDERS, "kick/0001.mp4"),
        ("A.mp4", FOLDERS, "hug/a.mp4"),
        ("Kick/0001", FOLDERS, "kick/0001.mp4"),
        ("b.AVI", FLAT, "b.avi"),
        ("a.mp4", NAMED, "v1"),
        ("hug/a.mp4", NAMED, "v1"),
        ("raw/a.mp4", NAMED, "v1"),
    ],
)
def test_a_video_is_found_by_the_usual_ways_to_write_its_name(name: str, videos: Listing, video_id: str) -> None:
    assert meant(name, videos) == video_id


@pytest.mark.parametrize(
    ("name", "videos"),
    [
        ("wave/a.mp4", FOLDERS),
        ("wave/0001.mp4", FOLDERS),
        ("g/a.mp4", FOLDERS),
        ("a.avi", FOLDERS),
        ("0002.mp4", FOLDERS),
        ("https://videos.example/hug/a.mp4", FOLDERS),
        ("", FOLDERS),
    ],
)
def test_a_name_in_another_folder_or_of_another_kind_is_another_video(name: str, videos: Listing) -> None:
    assert meant(name, videos) == name


def test_a_video_in_another_folder_is_not_one_that_the_file_names_better() -> None:
    found = match_videos(["hug/a.mp4", "kick/a.mp4"], FLAT, FILE).ids

    assert found == {"hug/a.mp4": "a.mp4", "kick/a.mp4": "kick/a.mp4"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0001.mp4"], r"'0001.mp4' in .*labels.csv may be any of 'hug/0001.mp4', 'kick/0001.mp4'\. Write the id"),
        (["0001"], r"'0001' in .* may be any of 'hug/0001.mp4', 'kick/0001.mp4'"),
        (["x/hug/a.mp4", "y/hug/a.mp4"], r"'x/hug/a.mp4' and 'y/hug/a.mp4' in .* may both be 'hug/a.mp4'\. Write the"),
    ],
    ids=["last-part", "stem", "two-names"],
)
def test_a_name_that_may_mean_several_videos_is_refused_with_the_candidates(names: list[str], message: str) -> None:
    with pytest.raises(LabelError, match=message):
        match_videos(names, FOLDERS, FILE)


def test_of_many_candidates_the_first_are_named() -> None:
    videos = Listing({f"{index}/a.mp4": f"/{index}/a.mp4" for index in range(9)})

    with pytest.raises(LabelError, match=r"any of '0/a.mp4', '1/a.mp4', '2/a.mp4' and 6 more\."):
        match_videos(["a.mp4"], videos, FILE)


def test_ids_that_differ_in_spelling_alone_are_told_apart_by_their_exact_names() -> None:
    videos = Listing({f"{ACUTE}.mp4": f"/{ACUTE}.mp4", f"{COMPOSED}.mp4": f"/{COMPOSED}.mp4"})

    assert meant(f"{COMPOSED}.mp4", videos) == f"{COMPOSED}.mp4"
    with pytest.raises(LabelError, match="may be any of"):
        meant(f"./{COMPOSED}.MP4", videos)


def test_what_was_matched_loosely_is_told_in_one_line_with_counts() -> None:
    found = match_videos(["hug\\a.mp4", "kick/0001.mp4", f"{COMPOSED}.avi", "hug/0001"], FOLDERS, FILE)

    assert found.notes == (
        "3 videos in labels.csv matched by another name than the id: 1 in another spelling ('hug\\\\a.mp4' is "
        f"'hug/a.mp4'), 1 by the last part alone ('{COMPOSED}.avi' is 'kick/{ACUTE}.avi'), 1 by the last part without "
        "a suffix ('hug/0001' is 'hug/0001.mp4').",
    )


def test_names_that_differ_in_case_are_told_as_such() -> None:
    found = match_videos(["Hug/A.MP4", "KICK/0001", "hug/0001.mp4"], FOLDERS, FILE)

    assert found.ids == {"Hug/A.MP4": "hug/a.mp4", "KICK/0001": "kick/0001.mp4", "hug/0001.mp4": "hug/0001.mp4"}
    assert found.notes == (
        "2 videos in labels.csv matched by another name than the id: 1 in another spelling and in another case "
        "('Hug/A.MP4' is 'hug/a.mp4'), 1 by the last part without a suffix and in another case ('KICK/0001' is "
        "'kick/0001.mp4').",
    )


def test_a_name_in_another_case_that_may_be_several_videos_is_none_of_them() -> None:
    videos = Listing({"hug.mp4": "/hug.mp4", "HUG.mp4": "/HUG.mp4"})

    assert meant("Hug.mp4", videos) == "Hug.mp4"


def test_a_video_that_is_named_exactly_is_not_meant_by_a_name_in_another_case() -> None:
    videos = Listing({"hug.mp4": "/hug.mp4"})

    assert match_videos(["Hug.mp4", "hug.mp4"], videos, FILE).ids == {"Hug.mp4": "Hug.mp4", "hug.mp4": "hug.mp4"}


def test_two_names_that_differ_in_case_are_not_both_one_video() -> None:
    videos = Listing({"hug.mp4": "/hug.mp4"})

    assert match_videos(["Hug.mp4", "HUG.mp4"], videos, FILE).ids == {"Hug.mp4": "Hug.mp4", "HUG.mp4": "HUG.mp4"}


def test_a_name_of_more_parts_than_any_place_has_is_another_video() -> None:
    assert meant("/".join(["x"] * 2000), FOLDERS) == "/".join(["x"] * 2000)


def test_exact_names_are_not_told() -> None:
    assert match_videos(["hug/a.mp4", "/data/videos/kick/0001.mp4"], FOLDERS, FILE).notes == ()


def test_a_failed_video_is_found_in_the_same_ways() -> None:
    failure = Failure("hug/broken.mp4", "/data/videos/hug/broken.mp4", "no_frames", "it is empty")

    assert meant(".\\hug\\broken.MP4", Listing({}, [failure])) == "hug/broken.mp4"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_a_spelling_stays_as_it_is(path: str) -> None:
    assert spell(spell(path)) == spell(path)


def test_labels_of_a_windows_list_are_read_for_a_store(tmp_path: Path, provenance: Provenance) -> None:
    with StoreWriter(tmp_path / "embeddings.h5", provenance) as writer:
        for name in ("hug/a.avi", "kick/b.avi"):
            writer.append(VideoRecord(name, location=str(tmp_path / "videos" / name)), [[0.0] * 16], [0.0])
    (tmp_path / "labels.csv").write_bytes("Path;Label\r\nHug\\..\\hug\\a.AVI;x\r\nb.avi;y\r\n".encode("utf-16"))

    table = read_labels(EmbeddingStore(tmp_path / "embeddings.h5"), tmp_path / "labels.csv")

    assert (table.ids, table.names, table.targets.tolist()) == (
        ("hug/a.avi", "kick/b.avi"),
        ("x", "y"),
        [[True, False], [False, True]],
    )


ODD = st.text(
    st.characters(codec="utf-8", exclude_characters="\0/|\\") | st.sampled_from("\udce9 ,;\t\n\r\"'=#"), min_size=1
)


@given(st.lists(st.tuples(ODD, ODD, ODD), min_size=1, max_size=6, unique_by=lambda row: spell(f"{row[0]}/{row[1]}")))
def test_label_files_as_we_write_them_are_read_back_whatever_videos_and_labels_are_called(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    labels = {f"{one}/{other}.mp4": compose(label).strip() for one, other, label in rows}
    assume(all(labels.values()))
    rows = [("id", "path", "label"), *((name, f"/v/{name}", label) for name, label in labels.items())]
    write_whole(folder / "suspects.csv", csv_text(rows))
    videos = Listing({name: f"/v/{name}" for name in labels})

    found = read_labels(videos, folder / "suspects.csv")

    assert {name: found.labels_of(row) for row, name in enumerate(found.ids)} == labels
