"""Every pair of values of two settings trains a head that tells apart what can be told apart, also a rare label.

Faults live where two settings meet: class weights with label smoothing gave everything to the rare label, though each
alone gave 1.0.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classify.measures import decide_labels, micro_f1
from classify.training import LabelledSet, TrainConfig, VideoSet, fit_head, predict_probabilities

SETTINGS: Mapping[str, tuple[Any, ...]] = {
    "arch": ("linear", "statistics", "motion", "mlp", "moe", "random-frame"),
    "class_weights": ("none", "balanced"),
    "label_smoothing": (0.0, 0.1, 0.3),
    "mixup": (0.0, 0.4),
    "optimizer": ("adam", "adamw"),
    "weight_decay": (None, 0.0, 0.01),
    "schedule": ("cosine", "constant"),
    "warm_up": (0.0, 0.2),
    "clip_norm": (None, 0.5),
    "patience": (None, 10),
    "standardise": (True, False),
    "project": (None, 6),
    "max_frames": (None, 2),
    "batch_size": (16, 7),
    "thresholds": ("half", "micro-f1", "label-f1"),
    "seed": (0, 1),
}
UNTESTED = {
    *("epochs", "learning_rate", "dropout", "positions", "device", "mixed_precision", "stream"),
    *("pretrained", "tail"),  # of last-block, which takes no vectors
}
"""Settings without two values that every head takes here, or that other tests hold to the bit."""


def covering_rows(settings: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Yield combinations of values that have every pair of values of two settings, greedily: few of them."""
    names, rng = list(settings), np.random.default_rng(0)
    missing = {
        ((one, first), (other, second))
        for one, other in combinations(names, 2)
        for first, second in product(range(len(settings[one])), range(len(settings[other])))
    }
    while missing:
        drafts = []
        for _ in range(30):
            (one, first), (other, second) = sorted(missing)[int(rng.integers(len(missing)))]
            row = {one: first, other: second}
            for name in rng.permutation([name for name in names if name not in row]).tolist():
                gains = [
                    sum(
                        tuple(sorted([(name, place), own], key=lambda p: names.index(p[0]))) in missing
                        for own in row.items()
                    )
                    for place in range(len(settings[name]))
                ]
                row[name] = int(np.argmax(gains))
            drafts.append(set(combinations([(name, row[name]) for name in names], 2)))
        best = max(drafts, key=lambda pairs: len(pairs & missing))
        missing -= best
        places = dict(place for pair in best for place in pair)
        yield {name: settings[name][places[name]] for name in names}


ROWS = list(covering_rows(SETTINGS))


def rare_and_common(targets: NDArray[np.bool_]) -> LabelledSet:
    """Return videos of 4 vectors. Each label adds a point, far from the others, and a movement past it."""
    rng, label_count = np.random.default_rng(0), targets.shape[1]
    points, moves = np.eye(label_count, 12) * 6 - 1, np.eye(label_count, 12, label_count) * 6
    rows = (targets @ points)[:, None] + (targets @ moves)[:, None] * np.linspace(-0.5, 0.5, 4)[:, None]
    rows += 0.3 * rng.standard_normal(rows.shape)
    ids = tuple(f"{index:03d}.mp4" for index in range(len(targets)))
    videos = VideoSet(ids, rows.reshape(-1, 12).astype(np.float32), np.full(len(targets), 4))
    return LabelledSet(videos, tuple("abc"[:label_count]), targets)


def learned_f1(dataset: LabelledSet, settings: Mapping[str, Any]) -> float:
    """Train on the even videos, validate on a half of the odd ones, and return the micro-F1 of the other half."""
    everyone = np.arange(len(dataset.videos))
    run = fit_head(dataset, everyone[::2], everyone[1::4], TrainConfig(device="cpu", **settings))
    predicted = decide_labels(predict_probabilities(run.head, dataset.videos, run.thresholds), run.thresholds)
    return micro_f1(dataset.targets[3::4], predicted[3::4])


def test_the_settings_that_are_paired_are_all_that_there_are() -> None:
    assert {*SETTINGS, *UNTESTED} == set(TrainConfig.__dataclass_fields__)


@pytest.mark.parametrize("settings", ROWS, ids=[f"row {place}" for place in range(len(ROWS))])
def test_a_rare_label_and_a_common_one_are_told_apart(settings: Mapping[str, Any]) -> None:
    is_rare = np.repeat(np.arange(97) % 24 == 0, 4)[:388]  # 20 of 388: in the training part 10 beside 184

    assert learned_f1(rare_and_common(np.stack([~is_rare, is_rare], axis=1)), settings) == 1.0


@pytest.mark.parametrize("settings", ROWS, ids=[f"row {place}" for place in range(len(ROWS))])
def test_rare_labels_of_several_a_video_are_told_apart(settings: Mapping[str, Any]) -> None:
    blocks = np.arange(97)
    shown = np.stack([blocks % 2 == 0, blocks % 3 == 0, blocks % 12 == 5], axis=1)

    assert learned_f1(rare_and_common(np.repeat(shown, 4, axis=0)), settings) == 1.0
