import numpy as np
import pytest

from classify.errors import TrainError
from classify.training.batches import LabelledSet
from classify.training.recipe import TrainConfig
from classify.training.training import fit_head


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epochs": 0}, "epochs is 0. Use a number above 0"),
        ({"batch_size": -1}, "batch_size is -1. Use a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan. Use a number above 0"),
        ({"patience": 0}, "patience is 0. Use a number above 0"),
        ({"project": -2}, "project is -2. Use a number above 0"),
        ({"max_frames": 0}, "max_frames is 0. Use a number above 0"),
        ({"clip_norm": float("nan")}, "clip_norm is nan. Use a number above 0"),
        ({"mixup": -0.1}, "mixup is -0.1. Use 0 or more; 0 is off"),
        ({"seed": -1}, "seed is -1. Use a whole number from 0 to"),
        ({"seed": 2**64}, f"seed is {2**64}. Use a whole number from 0 to 2\\*\\*64 - 1"),
        ({"mixup": float("nan")}, "mixup is nan. Use 0 or more"),
        ({"mixup": float("inf")}, "mixup is inf. Use a finite number"),
        ({"learning_rate": float("inf")}, "learning_rate is inf. Use a finite number"),
        ({"clip_norm": float("inf")}, "clip_norm is inf. Use a finite number"),
        ({"weight_decay": float("inf")}, "weight_decay is inf. Use a finite number"),
        ({"weight_decay": float("nan")}, "weight_decay is nan. Use 0 or more"),
        ({"dropout": float("nan")}, "dropout is nan. Use a share of at least 0"),
        ({"weight_decay": -1}, "weight_decay is -1. Use 0 or more; 0 is off"),
        ({"dropout": 1.0}, "dropout is 1.0. Use a share of at least 0 and below 1; 0 is off"),
        ({"warm_up": 3}, "warm_up is 3. Use a share of at least 0"),
        ({"label_smoothing": -0.1}, "label_smoothing is -0.1. Use a share"),
        ({"optimizer": "sgd"}, "optimizer is 'sgd'. Choose one of: adam, adamw"),
        ({"positions": "rotary"}, "positions is 'rotary'. Choose one of: sinusoidal, learned, timestamps"),
        ({"optimizer": None}, "optimizer is None. Choose one of: adam, adamw"),
        ({"schedule": "step"}, "schedule is 'step'. Choose one of: constant, cosine"),
        ({"class_weights": "auto"}, "class_weights is 'auto'. Choose one of: none, balanced"),
        ({"thresholds": "best"}, "thresholds is 'best'. Choose one of: half, micro-f1, label-f1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_setting_out_of_range_is_refused(setting: dict[str, float], message: str) -> None:
    with pytest.raises(TrainError, match=message):
        TrainConfig(**setting)  # type: ignore[arg-type]


def test_the_largest_seed_trains(separable: LabelledSet) -> None:
    config = TrainConfig(seed=2**64 - 1, epochs=1, device="cpu")

    run = fit_head(separable, np.arange(120), np.array([], dtype=np.int64), config)

    assert run.config.seed == 2**64 - 1


def test_a_head_is_given_only_the_options_that_were_set() -> None:
    assert TrainConfig().head_options == {}
    assert TrainConfig(dropout=0.0).head_options == {"dropout": 0.0}
    assert TrainConfig(positions="learned").head_options == {"positions": "learned"}
