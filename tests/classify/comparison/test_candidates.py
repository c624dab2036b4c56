from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from classify import HeadError, LabelledSet, TrainConfig, fit_head
from classify.comparison.candidates import LOGISTIC, list_candidates, note_left_out
from classify.heads.registry import HEADS
from classify.training.logits import predict_probabilities
from tests.classify.conftest import labelled

EVERY = np.arange(120)
NOBODY = np.array([], dtype=np.int64)


def test_a_broken_head_of_another_package_is_told(separable: LabelledSet, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __init__(self, dimension: int, class_count: int) -> None:
            raise HeadError(f"Version 2 lacks a file for {dimension} dimensions and {class_count} labels.")

    monkeypatch.setitem(HEADS, "broken", Broken)  # type: ignore[arg-type]

    recipes, notes = list_candidates(separable, EVERY, TrainConfig()), note_left_out(separable, TrainConfig())

    assert "broken" not in {recipe.arch for recipe in recipes}
    reason = "Version 2 lacks a file for 16 dimensions and 3 labels."
    assert notes == (f"The broken head is not among the candidates: {reason}",)


def test_the_default_recipes_come_first(separable: LabelledSet) -> None:
    config = TrainConfig(arch="auto", device="cpu", label_smoothing=0.1, seed=5)

    first = list_candidates(separable, EVERY, config)[:2]

    for recipe, arch in zip(first, ("linear", "statistics"), strict=True):
        assert recipe == fit_head(separable, EVERY, NOBODY, replace(config, arch=arch)).config


def test_regression_on_mean_deviation_and_change_is_as_strict_as_the_baseline(separable: LabelledSet) -> None:
    third = list_candidates(separable, EVERY, TrainConfig(device="cpu"))[2]

    assert (third.arch, third.mixup) == ("statistics", 0.0)
    # Its rows are divided by 3, since they have three parts.
    assert third.weight_decay == pytest.approx(1 / (0.01 * 120) / 9)


def test_linear_by_default_is_logistic_regression(noisy: LabelledSet) -> None:
    train, test, classes = np.arange(200), np.arange(200, 300), noisy.targets.argmax(axis=1)
    videos = noisy.videos.rows_of(np.arange(300)).reshape(300, 4, 16)
    recipe = list_candidates(noisy, train, TrainConfig(device="cpu"))[0]

    run = fit_head(noisy, train, NOBODY, recipe)

    found = predict_probabilities(run.head, noisy.videos, None)[test]
    means = run.head.scale_rows(torch.from_numpy(run.head.scale(videos.mean(axis=1)))).numpy()
    # Of two classes scikit-learn has one row of weights, half of which each of the head's has: C=2 is as strict as 1.
    expected = LogisticRegression(C=2).fit(means[train], classes[train]).predict_proba(means[test])
    assert recipe.arch == "linear"
    assert np.abs(found - expected).max() < 0.05


@pytest.mark.parametrize(
    "setting",
    [
        {"optimizer": "adamw"},
        {"warm_up": 0.9},
        {"clip_norm": 1e-3},
        {"label_smoothing": 0.2},
        {"standardise": False},
        {"batch_size": 300},
        {"class_weights": "balanced"},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_logistic_regression_is_a_candidate_whatever_is_asked_for(setting: dict[str, Any]) -> None:
    rng, classes = np.random.default_rng(0), (np.arange(300) % 4 == 0).astype(int)
    vectors = 0.01 * (classes[:, None, None] * 0.25 + rng.normal(size=(300, 4, 16)))
    uneven, train, test = labelled(vectors, classes), np.arange(200), np.arange(200, 300)
    candidates = list_candidates(uneven, train, TrainConfig(device="cpu", **setting))[:3]
    recipe = next(
        one
        for one in candidates
        if one.arch == "linear" and all(getattr(one, name) == value for name, value in LOGISTIC.items())
    )

    run = fit_head(uneven, train, NOBODY, recipe)

    found = predict_probabilities(run.head, uneven.videos, None)[test]
    means = StandardScaler().fit(vectors[train].mean(axis=1)).transform(vectors.mean(axis=1))
    weight = "balanced" if "class_weights" in setting else None
    model = LogisticRegression(C=2, class_weight=weight).fit(means[train], classes[train])
    assert np.abs(found - model.predict_proba(means[test])).max() < 0.04


def test_every_head_that_can_take_the_vectors_is_a_candidate(separable: LabelledSet) -> None:
    found = [recipe.arch for recipe in list_candidates(separable, EVERY, TrainConfig())]

    assert {"statistics", "transformer", "random-frame", "lstm"} <= set(found)
    assert found.index("statistics") < found.index("attention") < found.index("clip4clip")


def test_settings_that_auto_does_not_choose_are_kept(separable: LabelledSet) -> None:
    config = TrainConfig(arch="auto", batch_size=8, clip_norm=1.0, label_smoothing=0.1, max_frames=2, project=4)

    first, second, regression, strict, *others = list_candidates(separable, EVERY, config)

    assert {(one.batch_size, one.max_frames) for one in (first, second, regression, strict, *others)} == {(8, 2)}
    assert {(one.clip_norm, one.label_smoothing) for one in (first, second, *others)} == {(1.0, 0.1)}
    assert {(one.clip_norm, one.label_smoothing) for one in (regression, strict)} == {(None, 0.0)}
