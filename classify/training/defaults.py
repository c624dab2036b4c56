"""The settings that depend on the head and on the number of training videos: epochs, learning rate, weight decay.

A small set has few steps in a pass, so ten passes teach little: 96 videos make 60 steps of 16. A head that is linear in
a video's mean takes at least 800 steps with the weight decay of logistic regression, and ends where scikit-learn's
does. Other heads that pool take at least 400 steps. Heads that read every vector take up to a hundred times as long for
a step; they take at least 100 steps.

A step of Adam moves every weight by about the learning rate, so it moves a logit by the rate times the sum of the
inputs, which grows with their number. So the rate of heads that pool is 4 / D: a logit moves by about 3. With three
times that, `statistics` loses 3 points on ut_interaction6, and its probabilities are far too high.
"""

from dataclasses import replace

from classify.heads import StandardisedHead
from classify.training.recipe import TrainConfig

_EPOCHS = 10
_STEPS_OF_MEANS, _STEPS_OF_ROWS, _STEPS_OF_VECTORS = 800, 400, 100
_LOGIT_STEP = 4.0  # learning rate x D
_HIGHEST_RATE, _HIGHEST_DEEP_RATE = 0.01, 0.003  # of linear heads, and of those with hidden layers, on few dimensions
_RATE_OF_VECTORS = 0.001


def settle(config: TrainConfig, head: StandardisedHead, video_count: int) -> TrainConfig:
    """Return the configuration with numbers for epochs, learning rate and weight decay. Those that are given stay.

    Args:
        config: how to train.
        head: the head that it builds.
        video_count: number of training videos. Numbers that make as many steps an epoch have the same settings.
    """
    steps_an_epoch = -(-video_count // config.batch_size)
    steps, rate, decay = _STEPS_OF_VECTORS, _RATE_OF_VECTORS, 0.0
    if head.pools:
        steps = _STEPS_OF_MEANS if head.is_linear and head.pools_mean else _STEPS_OF_ROWS
        # Rows of several parts are divided by their number, which makes weights as much larger.
        highest = _HIGHEST_RATE if head.is_linear else _HIGHEST_DEEP_RATE
        rate = min(highest * head.part_count, _LOGIT_STEP / len(head.mean))
        decay = 1 / (steps_an_epoch * config.batch_size) / head.part_count
    own = {"epochs": max(_EPOCHS, -(-steps // steps_an_epoch)), "learning_rate": rate, "weight_decay": decay}
    missing = {name: value for name, value in own.items() if getattr(config, name) is None}
    return replace(config, **missing)  # type: ignore[arg-type]
