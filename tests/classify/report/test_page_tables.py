import re
from pathlib import Path

from classify import TrainConfig, split_videos, train_head
from classify.report.page_tables import confusion_table, judged_table


def test_a_heads_figures_stand_below_those_of_baselines(toy_store: Path, tmp_path: Path) -> None:
    split_videos(toy_store, tmp_path / "split.csv")
    config = TrainConfig(learning_rate=0.02)

    table = judged_table(train_head(toy_store, tmp_path / "split.csv", tmp_path / "head", config=config))

    rows = [re.findall(r"<t[hd][^>]*>([^<]*)<", row) for row in table.split("<tr>")[2:]]
    assert rows.pop(2)[0] == "logistic statistics"
    assert rows == [
        ["majority", "0.333", "0.000 to 0.667", "0.167", "0.333", "0.333"],
        ["logistic regression", "1.000", "0.610 to 1.000", *["1.000"] * 3],
        ["this head", "1.000", "0.610 to 1.000", *["1.000"] * 3],
    ]


def test_a_label_turns_no_other_text_around() -> None:
    table = confusion_table([[1, 0], [0, 1]], ["\u202egpj", "caf\udce9 <b>"])

    assert "\\u202egpj" in table
    assert "caf\\udce9 &lt;b&gt;" in table
    assert "\u202e" not in table
