from collections.abc import Callable
from pathlib import Path

import pytest

from classify.data.label_sources.label_files import Columns, read_label_file
from classify.errors import LabelError

SUGGESTED = Columns()

ROWS = [("hug/a, 1.mp4", {"hug"}), ("kick/b; 2.mp4", {"kick"})]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "labels.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def labels_in(path: Path, columns: Columns = SUGGESTED) -> list[tuple[str, set[str]]]:
    return [(row.key, set(row.labels)) for row in read_label_file(path, columns).rows]


_SEPARATED = {
    "comma": 'path,label,note\n"hug/a, 1.mp4",hug,x;y;z\nkick/b; 2.mp4,kick,a;b\n',
    "semicolon": 'path;label;note\nhug/a, 1.mp4;hug;"x;y"\n"kick/b; 2.mp4";kick;a,b,c,d,e\n',
    "tab": "path\tlabel\tnote\nhug/a, 1.mp4\thug\tx;y;z\nkick/b; 2.mp4\tkick\ta,b,c,d\n",
    "excel-hint": 'sep=;\r\npath;label\r\nhug/a, 1.mp4;hug\r\n"kick/b; 2.mp4";kick\r\n',
    "blank-lines": '\n\r\npath;label\nhug/a, 1.mp4;hug\n\n"kick/b; 2.mp4";kick\n',
    "misleading-header": 'path,"a;b;c;d",label\n"hug/a, 1.mp4",1;2;3;4,hug\nkick/b; 2.mp4,1;2;3;4,kick\n',
    "blank-rows-of-a-spreadsheet": ';;\r\n"";;\r\npath;label;x\r\nhug/a, 1.mp4;hug;\r\n"kick/b; 2.mp4";kick;\r\n',
    "marked-twice": '\ufeffpath,label\n"hug/a, 1.mp4",hug\nkick/b; 2.mp4,kick\n',
    "old-mac": 'path;label\rhug/a, 1.mp4;hug\r"kick/b; 2.mp4";kick\r',
}


@pytest.mark.parametrize("text", _SEPARATED.values(), ids=_SEPARATED)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_columns_are_separated_as_the_header_says_in_any_encoding(
    written: Callable[..., Path], text: str, encoding: str
) -> None:
    assert labels_in(written(text, encoding)) == ROWS


def test_json_lines_in_utf_16_are_read(written: Callable[..., Path]) -> None:
    text = (
        '{"path": "hug/a, 1.mp4", "label": "hug"}\n{"Path": "kick/b; 2.mp4", "path": "kick/b; 2.mp4", "label": "kick"}'
    )

    assert labels_in(written(text, "utf-16")) == ROWS


def test_ones_and_zeros_of_a_european_spreadsheet_are_labels(written: Callable[..., Path]) -> None:
    path = written("id;hug;kick\na;1,0;0,0\nb;;1,0\n")

    assert labels_in(path) == [("a", {"hug"}), ("b", {"kick"})]


@pytest.mark.parametrize(
    "header",
    [
        *("path,label", "Path,Label", "PATH,LABEL", "Video,Class", "File Path,Label", "file_name,label", "URL,Labels"),
        *("File Name,Label", "Video ID,Class", "video-path,label", "VideoPath,Label", " Video  Id ,Hash Tags"),
    ],
)
def test_usual_names_of_columns_are_known_however_they_are_spelled(written: Callable[..., Path], header: str) -> None:
    path = written(f"{header}\na.mp4,hug\n")

    assert labels_in(path) == [("a.mp4", {"hug"})]


def test_columns_are_taken_by_the_names_that_are_asked_for(written: Callable[..., Path]) -> None:
    path = written("Aufnahme;Verhalten;label;id\na.mp4;hug|wave;old;7\n")

    assert labels_in(path, Columns(path="aufnahme", label="Verhalten")) == [("a.mp4", {"hug", "wave"})]


def test_of_columns_that_differ_by_accident_the_one_that_is_spelled_as_asked_is_taken(
    written: Callable[..., Path],
) -> None:
    path = written("id,my label,My_Label,my_label\na,w,x,y\n")

    assert labels_in(path, Columns(label="my_label")) == [("a", {"y"})]
    assert labels_in(path, Columns(label="MY_LABEL")) == [("a", {"x"})]


def test_a_semicolon_is_known_by_a_column_of_several_words(written: Callable[..., Path]) -> None:
    assert labels_in(written("Video ID;Label;a, b, c\na.mp4;hug;1\n")) == [("a.mp4", {"hug"})]


def test_a_column_of_texts_that_is_asked_for_has_hashtags(written: Callable[..., Path]) -> None:
    path = written("id,label,Caption\na,x,so #nice\n")

    assert labels_in(path, Columns(label="caption")) == [("a", {"nice"})]


def test_names_of_wide_labels_keep_their_case(written: Callable[..., Path]) -> None:
    assert labels_in(written("ID;Hug;kick\na;1;0\n")) == [("a", {"Hug"})]


_REFUSED = {
    "array": ('[{"id": "a"}]', r"is a JSON array, but JSON lines are needed: one object a line, such as .*jq -c"),
    "object": ('{\n"a": "hug"}', r"line 1, is not JSON: .*Write one object a line, such as \{\"path\": "),
    "cells": ("id;label\na;x;y\n", r"line 2, has more cells than the header. Quote cells that hold a semicolon"),
    "line-behind-hint": ("sep=;\n\nid;label\na;x;y\n", r"line 4, has more cells than the header"),
    "two-cases": ("id,Label,ID\na,x,b\n", r"has several columns called 'id'; all but one would be lost"),
    "nul": ("i\0d\0,\0x\0", r"has characters of code 0, so it is not a CSV file in UTF-8. Save it as one"),
}


@pytest.mark.parametrize(("text", "message"), _REFUSED.values(), ids=_REFUSED)
def test_a_file_of_another_shape_is_refused_with_what_is_expected(
    written: Callable[..., Path], text: str, message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        read_label_file(written(text))


def test_a_file_in_another_encoding_is_refused_with_its_line_and_a_command(written: Callable[..., Path]) -> None:
    path = written("id,label\na,hug\nb,caf\u00e9\n", "latin-1")

    with pytest.raises(LabelError, match=r"not a CSV file in UTF-8 \(line 3\)\. Save it .* iconv -f WINDOWS-1252"):
        read_label_file(path)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04..", "a workbook of a spreadsheet"),
        (b"\xd0\xcf\x11\xe0", "a workbook"),
        (b"PAR1", "a Parquet file"),
        (b"\x89HDF\r\n", "an HDF5 file"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "labels").write_bytes(content)

    with pytest.raises(LabelError, match=f"is {kind}.*Save it as one"):
        read_label_file(tmp_path / "labels")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(path="clip"), r"has no column 'clip' that names the videos \(--path-column\)\. It has: id, x"),
        (Columns(label="y"), r"has no column 'y' of labels \(--label-column\)\. It has: id, x"),
    ],
    ids=["path", "label"],
)
def test_a_column_that_is_asked_for_and_absent_is_refused(
    written: Callable[..., Path], columns: Columns, message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        read_label_file(written("id,x\na,b\n"), columns)


def test_a_quote_in_the_wrong_place_is_found_by_its_line(written: Callable[..., Path]) -> None:
    with pytest.raises(LabelError, match=r"labels.csv, line 4, is not CSV: .*expected after.*Correct it"):
        labels_in(written('\npath,label\na.mp4,hug\nb.mp4,"hug" x\n'))


@pytest.mark.parametrize(
    ("value", "what"), [('{"name": "hug"}', "an object"), ('[["hug"]]', "a list within a list"), ("[{}]", "an object")]
)
def test_a_json_value_of_several_levels_is_no_label(value: str, what: str, written: Callable[..., Path]) -> None:
    with pytest.raises(LabelError, match=rf"labels.csv, line 2, has {what} as a value. Write a text"):
        labels_in(written('{"path": "a.mp4", "label": "hug"}\n{"path": "b.mp4", "label": ' + value + "}\n"))


def test_a_blank_of_pandas_in_json_is_blank(written: Callable[..., Path]) -> None:
    lines = '{"path": "a.mp4", "label": NaN}\n{"path": "b.mp4", "labels": ["x", null, NaN]}\n'
    assert labels_in(written(lines.replace("labels", "label"))) == [("a.mp4", set()), ("b.mp4", {"x"})]


def test_the_column_of_labels_groups_nothing(written: Callable[..., Path]) -> None:
    with pytest.raises(LabelError, match=r"The column 'label' of .* has the labels, so it cannot group the videos"):
        labels_in(written("path,label\na.mp4,hug\n"), Columns(group="label"))
