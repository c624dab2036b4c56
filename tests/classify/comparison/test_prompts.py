from pathlib import Path

import pytest

from classify import LabelError
from classify.comparison.prompts import TEMPLATES, make_prompts


def test_a_label_without_a_file_is_said_in_several_ways() -> None:
    found = make_prompts(["art_music", "handShake"])

    assert len(set(found["art_music"])) == len(TEMPLATES) > 1
    assert all("art music" in prompt for prompt in found["art_music"])
    assert "a video of hand Shake." in found["handShake"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param('\ufefflabel, prompt\nhug,"two people, embracing"\nkick,a kick\nhug,a hug\n', id="CSV"),
        pytest.param('{"hug": ["two people, embracing", "a hug"], "kick": "a kick", "more": []}', id="JSON"),
    ],
)
def test_a_file_gives_prompts_in_the_order_of_the_labels(tmp_path: Path, content: str) -> None:
    (tmp_path / "prompts").write_text(content)

    found = make_prompts(["kick", "hug"], tmp_path / "prompts")

    assert list(found.items()) == [("kick", ("a kick",)), ("hug", ("two people, embracing", "a hug"))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("label,prompt\nhug,a hug\nkick,\n", "no prompt for 1 of 2 labels, e.g. 'kick'", id="no prompt"),
        pytest.param("label,text\nhug,a hug\n", "cannot be read as prompts: KeyError: 'prompt'", id="other columns"),
        pytest.param("label,prompt\nhug\n", "no prompt for 2 of 2 labels, e.g. 'hug'", id="half a row"),
        pytest.param("label,prompt\nhug,two, embracing", "line 2 has too many cells; quote prompts", id="comma"),
        pytest.param("{", "cannot be read as prompts: JSONDecodeError", id="half an object"),
        pytest.param('{"hug": 3}', "cannot be read as prompts", id="a number"),
    ],
)
def test_a_file_that_says_too_little_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "prompts").write_text(content)

    with pytest.raises(LabelError, match=message):
        make_prompts(["hug", "kick"], tmp_path / "prompts")


@pytest.mark.parametrize(
    "content",
    ["label,prompt\ncafe\u0301,a coffee house\n", '{"cafe\u0301": "a coffee house"}'],
    ids=["CSV", "JSON"],
)
def test_an_accent_is_one_however_it_was_typed(tmp_path: Path, content: str) -> None:
    (tmp_path / "prompts").write_text(content, encoding="utf-8")

    assert make_prompts(["caf\u00e9"], tmp_path / "prompts") == {"caf\u00e9": ("a coffee house",)}
