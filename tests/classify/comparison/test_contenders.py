"""The differences that a comparison tells, trained and made up."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classify import (
    BootstrapConfig,
    Comparison,
    Contender,
    Interval,
    bootstrap_difference,
    compare_heads,
    fold_videos,
    read_labels,
)
from classify.comparison.trial_files import read_results
from classify.report.comparison_texts import comparison_text
from embed import EmbeddingStore
from tests.classify.comparison.test_comparison import QUICK, found_of

DIFFERENCE, SCORE = Interval(0.123, -0.101, 0.347), Interval(0.9, 0.8, 1.0)
BASELINE = Contender("logistic-regression", None, SCORE, (0.9, 0.8), 0.9, 0.9, 1.0, 0, None, DIFFERENCE, None)
PLAIN = replace(BASELINE, name="random-frame", mixup=0.0, parameters=1_234_567, over_baseline=DIFFERENCE)
MIXED = replace(PLAIN, mixup=0.4, over_no_mixup=DIFFERENCE)


def compared(*contenders: Contender) -> Comparison:
    return Comparison(Path("comparison"), contenders, 5, 2, "videos", 20, ())


def test_mixup_is_held_against_the_same_head_without_it(random_store: Path, tmp_path: Path) -> None:
    config = replace(QUICK, archs=("linear",), mixups=(0.4, 0.0), baselines=("majority",), seeds=1)

    comparison = compare_heads(random_store, tmp_path / "comparison", config=config)

    with EmbeddingStore(random_store) as store:
        table = read_labels(store)
    fold_of = fold_videos(table, 3, seed=0)
    predicted = {mixup: np.zeros((60, 2), dtype=np.bool_) for mixup in (0.0, 0.4)}
    for result in read_results(tmp_path / "comparison" / "runs.csv", 2):
        if result.trial.name == "linear":
            predicted[result.trial.mixup][fold_of == result.trial.fold] = result.predicted
    alone = BootstrapConfig(draws=4000, confidence=0.95)  # the only difference of its kind
    expected = bootstrap_difference(table.targets, predicted[0.0], predicted[0.4], groups=table.ids, config=alone)
    assert found_of(comparison, "linear", 0.4).over_no_mixup == expected["micro_f1"]
    assert found_of(comparison, "linear", 0.0).over_no_mixup is None
    assert found_of(comparison, "majority").over_no_mixup is None


def test_the_intervals_of_all_mixups_hold_together(random_store: Path, tmp_path: Path) -> None:
    config = replace(QUICK, archs=("linear",), baselines=(), seeds=1)

    one = compare_heads(random_store, tmp_path / "one", config=config)
    many = compare_heads(random_store, tmp_path / "many", config=replace(config, mixups=(0.0, 0.4, 1.0, 2.0)))

    alone, among = (found_of(comparison, "linear", 0.4).over_no_mixup for comparison in (one, many))
    assert alone is not None
    assert among is not None
    assert alone.value == among.value
    assert among.low < alone.low
    assert alone.high <= among.high
    assert among.high - among.low > alone.high - alone.low


def test_the_baseline_that_is_named_is_the_one_that_is_subtracted() -> None:
    other = replace(BASELINE, name="majority", seed_scores=(0.9, 0.7), over_baseline=DIFFERENCE)

    found = compared(PLAIN, other, BASELINE)

    assert found.best_baseline == BASELINE
    assert compared(replace(PLAIN, over_baseline=None)).best_baseline is None


@pytest.mark.parametrize(
    ("contenders", "subtracted"),
    [
        ((MIXED, PLAIN, BASELINE), ["logistic-regression", "the best", "no mixup"]),
        ((PLAIN, BASELINE), ["logistic-regression", "the best"]),
        (tuple(replace(head, over_baseline=None) for head in (MIXED, PLAIN)), ["the best", "no mixup"]),
        ((replace(PLAIN, over_baseline=None, over_best=None),), []),
    ],
    ids=["all", "no mixup", "no baseline", "one alone"],
)
def test_a_difference_that_no_contender_has_has_no_column(
    contenders: tuple[Contender, ...], subtracted: list[str]
) -> None:
    found = compared(*contenders)

    assert list(found.differences) == subtracted
    header = comparison_text(found).splitlines()[0]
    shown = {"logistic-regression": "over the baseline", "the best": "over the best"}
    assert header.split("interval")[1].strip() == (shown[subtracted[0]] if subtracted else "")


def test_the_table_fits_a_terminal_of_80_columns() -> None:
    certain = Interval(1.0, 0.95, 1.0)
    best = replace(MIXED, name="a head of another package", over_best=None, over_baseline=certain)

    lines = comparison_text(compared(best, PLAIN, BASELINE)).splitlines()

    assert lines[1].split() == [
        *("a", "head", "of", "anothe...", "0.4", "0.900", "0.800-1.000"),
        *("+100", "(+95.0,", "+100)", "better"),
    ]
    assert lines[2].endswith("  +12.3 (-10.1, +34.7)  unclear")
    assert max(map(len, lines)) == 80


@pytest.mark.parametrize(
    ("contenders", "said"),
    [
        ((MIXED, PLAIN), "The best is random-frame with mixup 0.4: no clear difference from any other."),
        ((MIXED, PLAIN), "Mixup makes no clear difference."),
        (
            (MIXED, PLAIN, replace(BASELINE, over_best=Interval(-0.2, -0.3, -0.1))),
            "The best is random-frame with mixup 0.4: no clear difference from random-frame.",
        ),
        (
            (replace(MIXED, over_no_mixup=Interval(0.2, 0.1, 0.3)), PLAIN),
            "Against the same head without mixup, better with it: random-frame with mixup 0.4.",
        ),
    ],
    ids=["all alike", "mixup alike", "one worse", "mixup better"],
)
def test_sentences_say_what_differs_from_the_best_and_by_mixup(contenders: tuple[Contender, ...], said: str) -> None:
    best, *others = contenders
    rest = (replace(found, over_best=found.over_best or DIFFERENCE) for found in others)

    text = comparison_text(compared(replace(best, over_best=None), *rest))

    assert said in " ".join(text.split())
