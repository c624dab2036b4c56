from dataclasses import replace
from pathlib import Path

import pytest

from classify import TrainConfig, TrainingReport, split_videos, train_head
from classify.comparison.selection import Selection, Tried
from classify.report.texts import cut, report_text, table
from embed.machine import columns_of

SETTINGS = {
    "arch": "random-frame",
    "mixup": 0.4,
    "epochs": 400,
    "learning_rate": 0.003,
    "weight_decay": 1 / 22,
    "schedule": "cosine",
    "project": None,
}


@pytest.fixture
def report(toy_store: Path, tmp_path: Path) -> TrainingReport:
    split_videos(toy_store, tmp_path / "split.csv")
    return train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", config=TrainConfig(epochs=1))


def chosen_from(report: TrainingReport, *tried: Tried) -> list[str]:
    selection = Selection(report.classifier.config, tried, 10.0, 15.0)
    return report_text(replace(report, selection=selection)).splitlines()


def test_the_best_candidates_and_the_first_are_listed_and_the_others_counted(report: TrainingReport) -> None:
    first = Tried({**SETTINGS, "arch": "linear"}, (0.1,), 0.01, "dropped")
    tested = [Tried(SETTINGS, (score / 100,), 0.1, "dropped") for score in range(20, 40)]
    best = Tried(SETTINGS, (0.9, 0.9), 0.1, "chosen")
    untested = [Tried(SETTINGS, (), None, "not reached")] * 12

    lines = chosen_from(report, first, *tested, best, *untested)

    start = next(index for index, line in enumerate(lines) if line.startswith("tried "))
    assert lines[start + 1 : start + 3] == [
        "random-frame    0.4     400  0.003  0.0455     0.900      2  +80.0   chosen",
        "random-frame    0.4     400  0.003  0.0455     0.390      1  +29.0  dropped",
    ]
    assert lines[start + 9 : start + 11] == [
        "linear          0.4     400  0.003  0.0455     0.100      1      -  dropped",
        "25 more candidates, 13 of them tested; report.json lists all.",
    ]
    assert max(map(len, lines)) <= 80


def test_candidates_that_were_not_tested_are_only_counted(report: TrainingReport) -> None:
    only = Tried({**SETTINGS, "arch": "linear"}, (), None, "chosen")

    lines = chosen_from(report, only, Tried(SETTINGS, (), None, "too slow"))

    assert ["linear", "0.4", "400", "0.003", "0.0455", "-", "0", "-", "chosen"] in map(str.split, lines)
    assert "1 more candidate, none of them tested; report.json lists all." in lines
    assert "there was no time to test a candidate." in " ".join(lines)


def test_no_verdict_is_given_where_a_test_label_was_never_trained(report: TrainingReport) -> None:
    text = " ".join(report_text(replace(report, unlearned_videos=4)).split())

    assert (
        "Whether this head is better than logistic regression cannot be told: of 6 test videos, 4 have a label that no "
        "training video has, which no classifier can give. Split again, so that each label trains." in text
    )
    assert "This head is" not in text


def test_a_table_has_columns_whatever_its_names_are_written_in() -> None:
    lines = table(("label", "videos"), [("踢球", "7"), ("hug", "12"), ("a\x1b[2J\nError: forged", "3")]).splitlines()

    assert len(lines) == 4
    assert len(set(map(columns_of, lines))) == 1
    assert lines[3].startswith("a\\x1b[2J\\nError: forged")


def test_a_long_name_of_wide_characters_is_cut_to_its_columns() -> None:
    assert cut("踢球踢球踢球", 9) == "踢球踢..."
