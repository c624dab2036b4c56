from pathlib import Path

import numpy as np
import pytest

from classify import ClassifyError, LabelRule, VideoClassifier

P = np.array([[0.7, 0.2, 0.1], [0.3, 0.35, 0.35], [0.1, 0.45, 0.45]])


@pytest.fixture
def single(toy_head: Path) -> VideoClassifier:
    return VideoClassifier.load(toy_head)


@pytest.fixture
def several(other_head: Path) -> VideoClassifier:
    return VideoClassifier.load(other_head)


def given(rule: LabelRule, classifier: VideoClassifier) -> list[str]:
    """Return the labels of each video of P, by their first letters."""
    return ["".join("hkw"[place] for place in np.flatnonzero(row)) for row in rule.decide(classifier, P)]


@pytest.mark.parametrize(
    ("typed", "top", "of_single", "of_several"),
    [
        ((), None, ["h", "k", "k"], ["h", "", ""]),
        ((), 2, ["hk", "kw", "kw"], ["hk", "kw", "kw"]),
        (("0.3",), None, ["h", "hkw", "kw"], ["h", "hkw", "kw"]),
        (("0.3",), 1, ["h", "k", "k"], ["h", "k", "k"]),
        (("hug=0.05",), None, ["h", "hk", "hk"], ["h", "h", "h"]),
        (("wave=0.4", "0.9"), None, ["", "", "w"], ["", "", "w"]),
        (("wave=1.0",), 3, ["h", "k", "k"], ["h", "", ""]),
        ((), 9, ["hkw", "hkw", "hkw"], ["hkw", "hkw", "hkw"]),
    ],
)
def test_thresholds_and_top_give_labels(
    typed: tuple[str, ...],
    top: int | None,
    of_single: list[str],
    of_several: list[str],
    single: VideoClassifier,
    several: VideoClassifier,
) -> None:
    rule = LabelRule.parse(top, typed)
    assert given(rule, single) == of_single
    assert given(rule, several) == of_several


def test_thresholds_come_from_a_file_too(single: VideoClassifier, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("threshold,label,note\n0.4,wave,x\n0.9,hug,\n")
    rule = LabelRule.parse(None, [str(tmp_path / "t.csv"), "kick=1"])
    assert rule == LabelRule(None, None, {"wave": 0.4, "hug": 0.9, "kick": 1.0})
    assert given(rule, single) == ["", "", "w"]


def test_a_label_may_have_an_equals_sign() -> None:
    assert LabelRule.parse(None, ["a=b=0.5"]).thresholds == {"a=b": 0.5}


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["1.5"], r"--threshold is 1.5. Use a probability from 0 to 1"),
        (["nan"], r"--threshold is nan. Use a probability"),
        (["hug=-1"], r"--threshold is -1.0"),
        (["0.5", "0.6"], r"two thresholds for all labels. Give one"),
        (["hug=0.5", "hug=0.6"], r"two thresholds for the label 'hug'. Give one"),
        (["hug"], r"--threshold hug is no number, no LABEL=NUMBER and no file. Type 0.5, dog=0.4"),
        (["hug=high"], r"--threshold hug=high is no number"),
        (["no-columns.csv"], r"has the columns a, b, but thresholds need label and threshold. Rename"),
        (["no-number.csv"], r"no-number.csv, line 3: the threshold 'high' is no number"),
    ],
)
def test_wrong_thresholds_are_refused(
    typed: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no-columns.csv").write_text("a,b\n1,2\n")
    (tmp_path / "no-number.csv").write_text("label,threshold\nhug,0.5\nkick,high\n")
    with pytest.raises(ClassifyError, match=message):
        LabelRule.parse(None, typed)


def test_a_threshold_of_a_label_that_the_head_does_not_know_is_refused(single: VideoClassifier) -> None:
    with pytest.raises(ClassifyError, match=r"no label 'hugg'. Did you mean 'hug'\?"):
        LabelRule.parse(None, ["hugg=0.5"]).check(single)
    with pytest.raises(ClassifyError, match=r"no label 'cat'. It knows hug, kick, wave."):
        LabelRule.parse(None, ["cat=0.5"]).check(single)
