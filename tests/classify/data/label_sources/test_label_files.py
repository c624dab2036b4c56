from collections.abc import Callable
from pathlib import Path

import pytest

from classify.data.label_sources.label_files import Columns, find_hashtags, read_label_file
from classify.errors import LabelError


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "labels.txt"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def labels_in(path: Path) -> list[tuple[str, set[str]]]:
    return [(row.key, set(row.labels)) for row in read_label_file(path).rows]


@pytest.mark.parametrize(
    "text",
    [
        "id,labels\na.mp4,hug|wave\nb.mp4,kick\n",
        "link,title,category\na.mp4,Two friends,hug|wave\nb.mp4,#1 goals,kick\n",
        "url,hashtags\na.mp4,#Hug #wave\nb.mp4,kick\n",
        "id,description,likes\na.mp4,So nice! #hug#Wave,12\nb.mp4,look &#x27;here #kick #2,1\n",
        "id,title,text\na.mp4,#hug,and #wave\nb.mp4,nothing,#kick\n",
        "id,views,hug,kick,wave\na.mp4,12,1,0,1\nb.mp4,1,,1,\n",
        "id,views,hug,kick,wave\na.mp4,12,1.0,0.0,1.0\nb.mp4,1,,1.0,\n",
        '{"id": "a.mp4", "labels": ["hug", null, "wave"]}\n{"id": "b.mp4", "labels": ["kick"]}\n',
        '{"id": "a.mp4", "labels": ["hug", "wave"]}\n\n{"id": "b.mp4", "labels": "kick", "views": 3}\n',
        '{"path": "a.mp4", "hug": 1, "wave": true}\n{"path": "b.mp4", "hug": false, "kick": 1, "wave": null}\n',
        '{"id": "a.mp4", "description": "so nice #hug\\u2028#wave"}\n{"id": "b.mp4", "description": "#kick"}\n',
    ],
    ids=[
        "joined",
        "category",
        "hashtags",
        "description",
        "two-texts",
        "wide",
        "pandas",
        "null",
        "json",
        "json-wide",
        "tags",
    ],
)
def test_labels_are_read_from_any_shape(written: Callable[[str], Path], text: str) -> None:
    assert labels_in(written(text)) == [("a.mp4", {"hug", "wave"}), ("b.mp4", {"kick"})]


_TAGS = {
    "hindi": ("#हिन्दी में", "हिन्दी"),
    "thai": ("#กรุงเทพ!", "กรุงเทพ"),
    "decomposed": ("#cafe\u0301", "caf\u00e9"),
    "capital": ("#CAFE\u0301", "caf\u00e9"),
    "dotted-i": ("#\u0130zmir", "i\u0307zmir"),
    "persian": ("#\u0645\u06cc\u200c\u0634\u0648\u062f", "\u0645\u06cc\u200c\u0634\u0648\u062f"),
    "joiner-behind": ("#food\u200d \u200d", "food"),
    "emoji-behind": ("#food😋❤\ufe0f", "food"),
    "flag-behind": ("#food👩\u200d🍳", "food"),
    "point": ("(#food). #food, #food's", "food"),
    "connector": ("#street_food", "street_food"),
    "wide": ("\uff03美食", "美食"),
    "small": ("\ufe5ffood", "food"),
}


@pytest.mark.parametrize(("text", "tag"), _TAGS.values(), ids=_TAGS)
def test_a_tag_ends_where_its_word_does_in_any_script(text: str, tag: str) -> None:
    assert find_hashtags(text) == {tag}


@pytest.mark.parametrize("text", ["# food", "#️⃣food", "#1 #2024", "#😋", "#_", "&#x27;", "#", "#-food"])
def test_a_hash_without_a_word_behind_it_is_not_a_tag(text: str) -> None:
    assert find_hashtags(text) == set()


@pytest.mark.parametrize(("text", "tag"), _TAGS.values(), ids=_TAGS)
def test_a_column_of_hashtags_has_the_same_words(written: Callable[[str], Path], text: str, tag: str) -> None:
    assert tag in labels_in(written(f'id,hashtags\na,"{text}"\n'))[0][1]


def test_the_signs_of_emoji_are_no_words(written: Callable[[str], Path]) -> None:
    assert labels_in(written("id,hashtags\na,food ❤\ufe0f 👩\u200d🍳\n")) == [("a", {"food"})]


def test_a_column_of_single_labels_is_known_as_one(written: Callable[[str], Path]) -> None:
    file = read_label_file(written("id,label\na.mp4,hug\na.mp4,wave\n"))

    assert file.label_column == "label"
    assert [(row.line, row.labels) for row in file.rows] == [(2, {"hug"}), (3, {"wave"})]


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("id,labels\na,x\n", ()),
        ("id,description\na,#x\n", ("The labels are the hashtags in description.",)),
        (
            "id,x,y,views\na,1,0,1\nb,0,1,7\n",
            (
                "The labels are the columns of 0 and 1: x, y.",
                "Not labels, since they have other values: views ('7' in line 3).",
            ),
        ),
        (",id,x,,\n0,a,1,,\n1,b,0,1,\n", ("The labels are the columns of 0 and 1: x.",)),
    ],
    ids=["named", "hashtags", "wide", "wide-nameless"],
)
def test_what_was_taken_for_labels_is_noted(written: Callable[[str], Path], text: str, notes: tuple[str, ...]) -> None:
    assert read_label_file(written(text)).notes == notes


_TYPED_TWICE = {
    "label": "id,label\na\u0301,cafe\u0301\nb,caf\u00e9\n",
    "labels": "id,labels\na\u0301,cafe\u0301|caf\u00e9\nb,caf\u00e9\n",
    "hashtags": "id,hashtags\na\u0301,cafe\u0301\nb,caf\u00e9\n",
    "wide": "id,cafe\u0301,caf\u00e9\na\u0301,1,0\nb,0,1\n",
    "json": '{"id": "a\u0301", "labels": ["cafe\u0301", null]}\n{"id": "b", "labels": "caf\u00e9"}\n',
}


@pytest.mark.parametrize("text", _TYPED_TWICE.values(), ids=_TYPED_TWICE)
def test_an_accent_is_one_however_it_was_typed_but_ids_stay(written: Callable[[str], Path], text: str) -> None:
    assert labels_in(written(text)) == [("a\u0301", {"caf\u00e9"}), ("b", {"caf\u00e9"})]


def test_groups_are_one_however_their_accents_were_typed(written: Callable[[str], Path]) -> None:
    file = read_label_file(written("id,label,place\na,x,cafe\u0301\nb,x,caf\u00e9\n"), Columns(group="place"))

    assert {row.group for row in file.rows} == {"caf\u00e9"}


def test_the_column_to_group_by_is_no_label(written: Callable[[str], Path]) -> None:
    file = read_label_file(written("id,camera,x,y\na,1,0,1\nb,0,1,0\n"), Columns(group="camera"))

    assert [(set(row.labels), row.group) for row in file.rows] == [({"y"}, "1"), ({"x"}, "0")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "a", "label": "x"}\n{"id": "b",\n', r"line 2, is not JSON: .*Write one object a line"),
        ('{"id": "a", "label": "x"}\n["b", "x"]\n', r"line 2, is not a JSON object\. Write one a line"),
        ('{"id": "a", "label": "x"}\n{"label": "x"}\n', r"line 2, names no video: its id is blank\. Fill it in"),
        (
            "id,description\na,no tags here\n",
            r"has the columns id, description, but needs .* hashtags in a 'descr.*Rename",
        ),
        ("id,x,y\na,0,0\n", r"has the columns id, x, y, but needs .* a column of 0 and 1 for each label"),
        (
            "id,hug,kick\na,0,yes\nb,0.5,no\n",
            r"; other values are in hug \('0\.5' in line 3\); kick \('yes' in line 2\)\. Rename .* or write 0 and 1",
        ),
        ("id,label,label\na,x,y\n", r"has several columns called 'label'; all but one .* Give each its own name"),
        (" id,x, x \na,1,0\n", r"has several columns called 'x'; all but one .* Give each its own name"),
        ('id,label\na,"x\n', r"line 2, is not CSV: unexpected end of data.*save the file anew"),
    ],
    ids=["json", "object", "key", "no-tags", "no-ones", "odd-values", "repeated", "repeated-wide", "quote"],
)
def test_a_file_that_says_nothing_of_labels_is_refused(written: Callable[[str], Path], text: str, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        read_label_file(written(text))
