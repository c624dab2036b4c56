"""No secret of a link leaves a command: not into the store, the log, stdout or stderr."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from embed.cli import embed_videos, inspect_embeddings
from embed.sources import find_videos
from tests.media import write_video
from tests.servers import FaultyServer, faulty_server

LITE0 = ["--model", "efficientnet-lite0", "--frames-count", "2", "--batch-size", "4"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultyServer]:
    with faulty_server() as state:
        state.files["/v/good.mp4"] = write_video(tmp_path / "a.mp4", 5).read_bytes()
        state.files["/v/broken.mp4"] = b"no video"
        state.files["/page.html"] = b"<html><title>hush</title>no video here: hush</html>"
        state.files["/refused.mp4"], state.faults["/refused.mp4"] = b"x", "403"
        state.redirects["/away.html"] = f"{state.url}/page.html?token=hush#hush"
        state.redirects["/away.mp4"] = f"{state.url}/gone.mp4?token=hush"
        yield state


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["for people", "for programs"])
def test_a_run_over_links_with_secrets_tells_none_of_them(
    server: FaultyServer, tmp_path: Path, options: list[str]
) -> None:
    places = ["v/good.mp4", "v/broken.mp4", "page.html", "refused.mp4", "away.html", "away.mp4", "gone.mp4"]
    links = [f"{server.url}/{place}?id=hush&X-Amz-Signature=hush&token=hush" for place in places]
    (tmp_path / "links.csv").write_text("link\n" + "\n".join(links) + "\n")
    typed = f"{server.url}/typed.mp4?token=hush".replace("://", "://me:hush@")
    files = ["-o", str(tmp_path / "s.h5"), "--log", str(tmp_path / "log.jsonl")]
    result = CliRunner().invoke(embed_videos, [str(tmp_path / "links.csv"), typed, *LITE0, *files, *options])
    report = CliRunner().invoke(inspect_embeddings, [str(tmp_path / "s.h5"), *options])
    assert result.exit_code == 1, result.output
    told = [result.stdout, result.stderr, report.output, (tmp_path / "log.jsonl").read_text()]
    assert "typed.mp4" in told[0] + told[1]
    assert "hush" not in "".join(told)
    assert b"hush" not in (tmp_path / "s.h5").read_bytes()


@pytest.mark.parametrize(
    "source",
    [
        "zip://a.mp4::https://me:hush@host/x.zip?sig=hush",
        "reference://::https://host/a.json?token=hush",
        "https://me:hu/hush@host/a.mp4",
        "gopher://me:hush@host/a.mp4?token=hush",
        "local:///etc/hush",
        "https://me:hush@host/list.csv?token=hush",
        "a.mp4::https://me:hush@host/x.zip",
    ],
)
@pytest.mark.parametrize("is_listed", [False, True], ids=["typed", "in a list"])
def test_an_address_that_is_refused_is_not_quoted(tmp_path: Path, source: str, is_listed: bool) -> None:
    (tmp_path / "links.txt").write_text(f"a.mp4\n{source}\n")
    given = str(tmp_path / "links.txt") if is_listed and "list.csv" not in source else source
    result = CliRunner().invoke(embed_videos, [given, "-o", str(tmp_path / "s.h5")])
    assert result.exit_code == 2
    assert "Error:" in result.stderr
    assert "hush" not in result.output
    assert "links.txt, entry 2: The address" in result.stderr or given == source


@pytest.mark.parametrize(
    "source",
    [
        *(
            "http:/me:hush@h/a.mp4?token=hush",
            "https//me:hush@h/a.mp4",
            "https:\\\\me:hush@h\\a.mp4",
            "//me:hush@h/a.mp4",
        ),
        *("magnet:?xt=hush", "HTTPS : //me:hush@h/a.mp4?token=hush", "https:me:hush@h/a.mp4", "me:hush@h/a.mp4"),
        *("s3:/bucket/a.mp4?&sig=hush", "https;//me:hush@h/a.mp4"),
    ],
)
@pytest.mark.parametrize("is_listed", [False, True], ids=["typed", "in a list"])
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["for people", "for programs"])
def test_a_mistyped_address_is_no_path(tmp_path: Path, source: str, is_listed: bool, options: list[str]) -> None:
    (tmp_path / "links.txt").write_text(f"a.mp4\n{source}\n")
    given = str(tmp_path / "links.txt") if is_listed else source
    files = ["-o", str(tmp_path / "s.h5"), "--log", str(tmp_path / "log.jsonl")]
    result = CliRunner().invoke(embed_videos, [given, *files, *options])
    assert result.exit_code == 2
    assert "Write an address as https://host/a.mp4" in result.stderr
    assert ("links.txt, entry 2: A source" in result.stderr) == is_listed
    assert "hush" not in result.output
    assert not (tmp_path / "s.h5").exists()


def test_a_path_that_looks_like_a_mistyped_address_stays_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "http:").mkdir()
    (tmp_path / "http:" / "a.mp4").touch()
    (tmp_path / "links.txt").write_text("http:/a.mp4\n")
    monkeypatch.chdir(tmp_path)
    assert [find_videos(source)[0].location for source in ("http:/a.mp4", "links.txt")] == [
        str(tmp_path / "http:" / "a.mp4")
    ] * 2


def test_a_wrong_option_does_not_quote_a_link(tmp_path: Path) -> None:
    link = "https://me:hush@host/a.mp4?token=hush"
    result = CliRunner().invoke(embed_videos, [str(tmp_path), "--fps", link])
    assert result.exit_code == 2
    assert "https://host/a.mp4" in result.stderr
    assert "hush" not in result.output
