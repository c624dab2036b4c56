"""Each format says what happened to each video, and is known again as the output of a run."""

import csv
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from classify import PredictConfig, Prediction, StreamConfig
from classify.moments import Moment
from classify.streaming.formats import describe_output, text_format, write_results
from embed import Failure

NAMES = ("hug", "=kick")
BYTES = "\udce9.mp4"  # a name that is no UTF-8
TOLD = [
    Prediction(
        "a.mp4",
        ("=kick", "hug"),
        {"hug": 0.6, "=kick": 0.75},
        "/v/a.mp4",
        (Moment("=kick", 0, 1.5, 1, 0.875), Moment("hug", 2, 3, 2.5, 0.5)),
        "exact",
    ),
    Prediction(BYTES, (), {"hug": 0.25, "=kick": 0.125}, f"/v/{BYTES}", (), "exact"),
    Failure("c.mp4", "/v/c.mp4", "unreadable", "no moov, no frames"),
]
PLAIN = [Prediction(own.video_id, own.labels, own.probabilities, own.location) for own in TOLD[:2]] + TOLD[2:]


def written(file_format: str, *, moments: bool = True, results: list[Any] | None = None, **options: Any) -> bytes:
    file = BytesIO()
    predict = PredictConfig(file_format="yt8m" if file_format == "yt8m" else "csv")
    config = StreamConfig(predict=predict, file_format=file_format, moments=moments, **options)  # type: ignore[arg-type]
    chosen = (TOLD if moments else PLAIN) if results is None else results
    write_results(file, config, NAMES, chosen, (3, 17) if file_format == "yt8m" else ())
    return file.getvalue()


def test_a_csv_of_moments_has_a_row_for_each_moment_and_one_for_each_video_without() -> None:
    header, *rows = csv.reader(written("csv").decode(errors="surrogateescape").splitlines())
    assert header == ["id", "path", "label", "start_s", "end_s", "best_s", "score", "probability", "how", "error"]
    assert rows == [
        ["a.mp4", "/v/a.mp4", "=kick", "0.000", "1.500", "1.000", "0.8750", "0.7500", "exact", ""],
        ["a.mp4", "/v/a.mp4", "hug", "2.000", "3.000", "2.500", "0.5000", "0.6000", "exact", ""],
        [BYTES, f"/v/{BYTES}", "", "", "", "", "", "", "exact", ""],
        ["c.mp4", "/v/c.mp4", "", "", "", "", "", "", "", "unreadable: no moov, no frames"],
    ]


def test_cells_of_a_csv_are_safe_for_spreadsheets_if_that_is_asked_for() -> None:
    rows = [*csv.reader(written("csv", spreadsheet_safe=True).decode(errors="surrogateescape").splitlines())]
    assert rows[1][2] == "'=kick"


def test_json_lines_have_an_object_for_each_video() -> None:
    first, second, failed = map(json.loads, written("jsonl").decode().splitlines())
    assert first == {
        "id": "a.mp4",
        "path": "/v/a.mp4",
        "labels": ["=kick", "hug"],
        "probabilities": {"hug": 0.6, "=kick": 0.75},
        "moments": [
            {"label": "=kick", "start_s": 0, "end_s": 1.5, "best_s": 1, "score": 0.875},
            {"label": "hug", "start_s": 2, "end_s": 3, "best_s": 2.5, "score": 0.5},
        ],
        "how": "exact",
    }
    assert (second["id"], second["labels"], second["moments"]) == (BYTES, [], [])
    assert failed == {"id": "c.mp4", "path": "/v/c.mp4", "reason": "unreadable", "detail": "no moov, no frames"}
    assert "moments" not in json.loads(written("jsonl", moments=False).splitlines()[0])


@pytest.mark.parametrize("results", [TOLD, TOLD[:2], TOLD[2:], []], ids=["both", "labelled", "failed", "none"])
def test_json_is_one_object_with_videos_and_failures(results: list[Any]) -> None:
    found = json.loads(written("json", results=results))
    lines = [json.loads(line) for line in written("jsonl", results=results).splitlines()]
    assert found == {
        "videos": [line for line in lines if "labels" in line],
        "failures": [line for line in lines if "reason" in line],
    }


def test_parquet_has_the_columns_of_the_csv_and_lists_as_lists() -> None:
    first, second, failed = parquet.read_table(BytesIO(written("parquet"))).to_pylist()
    assert first["labels"] == ["=kick", "hug"]
    assert first["probability"] == pytest.approx([0.75, 0.6])
    assert (first["probability_hug"], first["error"], first["how"]) == (pytest.approx(0.6), None, "exact")
    assert first["moments"][0] == {"label": "=kick", "start_s": 0, "end_s": 1.5, "best_s": 1, "score": 0.875}
    assert (second["id"], second["labels"], second["moments"]) == ("\\udce9.mp4", [], [])
    assert failed["error"] == "unreadable: no moov, no frames"
    assert [failed[name] for name in ("labels", "probability", "probability_hug", "moments", "how")] == [None] * 5
    assert "moments" not in parquet.read_table(BytesIO(written("parquet", moments=False))).column_names


def test_yt8m_has_pairs_of_numbers_and_no_failures() -> None:
    assert written("yt8m", moments=False).decode(errors="surrogateescape") == (
        f"VideoId,LabelConfidencePairs\na.mp4,17 0.75 3 0.6\n{BYTES},3 0.25 17 0.125\n"
    )


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_rows_that_are_printed_one_at_a_time_are_those_of_the_file(file_format: str) -> None:
    form = text_format(StreamConfig(file_format=file_format, moments=True), NAMES)  # type: ignore[arg-type]
    assert b"".join(map(form.encode, [form.header, *map(form.text_of, TOLD)])) == written(file_format)


@pytest.mark.parametrize("moments", [False, True], ids=["labels", "moments"])
@pytest.mark.parametrize("file_format", ["csv", "json", "jsonl", "parquet"])
@pytest.mark.parametrize("results", [None, TOLD[2:], []], ids=["both", "failed", "none"])
def test_an_output_is_known_again(file_format: str, moments: bool, results: list[Any] | None, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(written(file_format, moments=moments, results=results))
    known = describe_output(tmp_path / "out")
    assert bool(known) == bool((tmp_path / "out").stat().st_size)  # nothing tells whose an empty file is


@pytest.mark.parametrize(
    "content",
    [
        b'{"id": 1, "name": "x"}\n',
        b"id,path,label\n",
        b"PAR1....PAR1",
        b'{"videos": 3}',
        b"[]",
        b"\xff\xfe",
        b"{" * 9999,
    ],
)
def test_other_files_are_no_outputs(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(content)
    assert describe_output(tmp_path / "out") is None
