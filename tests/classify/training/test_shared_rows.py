from dataclasses import replace

import numpy as np
import pytest
import torch

from classify.training import LabelledSet, SharedRows, TrainConfig, TrainJob, fit_heads

NOBODY = np.array([], dtype=np.int64)
RECIPE = TrainConfig(arch="linear", epochs=3)


def jobs_of(dataset: LabelledSet, config: TrainConfig) -> list[TrainJob]:
    """Two folds of every second video."""
    videos = np.arange(len(dataset.videos))
    return [TrainJob(videos[videos % 2 == fold], NOBODY, config) for fold in (0, 1)]


def weights_of(dataset: LabelledSet, configs: list[TrainConfig], rows: SharedRows | None) -> list[torch.Tensor]:
    runs = [run for config in configs for run in fit_heads(dataset, jobs_of(dataset, config), rows=rows)]
    return [tensor for run in runs for tensor in run.head.state_dict().values()]


@pytest.mark.parametrize(
    "other",
    [
        {"mixup": 0.4},
        {"epochs": 5, "learning_rate": 0.01},
        {"weight_decay": 0.1},
        {"standardise": False},
        {"max_frames": 2},
        {"project": 4},
        {"arch": "statistics"},
    ],
    ids=str,
)
def test_heads_on_shared_rows_are_those_on_rows_of_their_own(separable: LabelledSet, other: dict[str, object]) -> None:
    configs = [RECIPE, replace(RECIPE, **other), RECIPE]

    shared, alone = (weights_of(separable, configs, rows) for rows in (SharedRows(), None))

    assert all(torch.equal(one, two) for one, two in zip(shared, alone, strict=True))


def pooled_by(dataset: LabelledSet, config: TrainConfig, rows: SharedRows) -> int:
    """Return how often a recipe finds no rows."""
    count = 0

    class Pooled(Exception):
        pass

    def pool() -> None:
        raise Pooled

    for job in jobs_of(dataset, config):
        try:
            rows.of(job.train, replace(job.config, learning_rate=1e-3, weight_decay=0.0), pool)
        except Pooled:
            count += 1
    return count


@pytest.mark.parametrize(
    ("changed", "count"),
    [({"mixup": 0.4}, 0), ({"epochs": 9, "seed": 3}, 0), ({"max_frames": 2}, 2), ({"arch": "statistics"}, 2)],
    ids=["mixup", "epochs", "frames", "head"],
)
def test_only_what_pools_otherwise_is_pooled_again(
    separable: LabelledSet, changed: dict[str, object], count: int
) -> None:
    rows = SharedRows()
    fit_heads(separable, jobs_of(separable, RECIPE), rows=rows)

    assert pooled_by(separable, replace(RECIPE, **changed), rows) == count


def test_rows_beyond_the_limit_are_not_kept(separable: LabelledSet) -> None:
    rows = SharedRows(most_bytes=1)
    fit_heads(separable, jobs_of(separable, RECIPE), rows=rows)

    assert pooled_by(separable, RECIPE, rows) == 2
