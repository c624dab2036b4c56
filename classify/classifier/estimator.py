"""Heads as estimators of scikit-learn, for pipelines, cross-validation and grid searches on arrays instead of stores.

    VideoHeadClassifier(arch="transformer", mixup=0.4).fit(X, y).predict(X)

X is (N, T, D), or a list of N arrays (T_i, D); an array (N, D) counts as videos of one vector each. y has one label
for each video or, if videos have several, is an indicator matrix (N, C) of 0 and 1.

Source of the contract: https://scikit-learn.org/stable/developers/develop.html; its own checks pass with (N, D).
"""
# ruff: noqa: N803, N806 - X is what scikit-learn calls it, also as a keyword

from collections.abc import Sequence
from hashlib import sha256
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data

from classify.measures import decide_labels
from classify.training import (
    LabelledSet,
    TrainConfig,
    TrainingRun,
    VideoSet,
    fit_head,
    predict_probabilities,
    take_videos,
)
from embed.machine import counted

_ROUND_NUMBER = 64  # videos are predicted in multiples of it, so that their number changes no probability


class VideoHeadClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A head that trains on arrays.

    The parameters are those of `TrainConfig`, which explains each, except `random_state`: it is the seed, or each `fit`
    draws a seed from it, as in scikit-learn. They are listed one by one because scikit-learn reads them from the
    signature. Settings that need validation videos are left out: scikit-learn chooses by cross-validation.

    Attributes:
        classes_: (C,) labels; 0 to C - 1 where y was an indicator matrix.
        n_features_in_: D.
        run_: the `TrainingRun`, with the head and its history.

    Raises:
        ValueError: X or y are not as described above, or X has other dimensions than in training.
        TrainError: a parameter is out of its range.
        HeadError: there is no such head, or it does not take these vectors or options.
        ClassifyError: the positions are timestamps, which arrays do not have.
    """

    n_features_in_: int

    def __init__(
        self,
        arch: str = "linear",
        *,
        mixup: float = 0.0,
        epochs: int | None = None,
        batch_size: int = 16,
        learning_rate: float | None = None,
        optimizer: str = "adam",
        weight_decay: float | None = None,
        schedule: str = "cosine",
        warm_up: float = 0.0,
        clip_norm: float | None = None,
        dropout: float | None = None,
        positions: str | None = None,
        label_smoothing: float = 0.0,
        class_weights: str = "none",
        standardise: bool = True,
        project: int | None = None,
        max_frames: int | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.arch = arch
        self.mixup = mixup
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.warm_up = warm_up
        self.clip_norm = clip_norm
        self.dropout = dropout
        self.positions = positions
        self.label_smoothing = label_smoothing
        self.class_weights = class_weights
        self.standardise = standardise
        self.project = project
        self.max_frames = max_frames
        self.device = device
        self.random_state = random_state

    def fit(self, X: ArrayLike | Sequence[ArrayLike], y: ArrayLike) -> Self:
        """Train a head on N videos.

        Args:
            X: (N, T, D), N arrays (T_i, D), or (N, D).
            y: (N,) labels, or (N, C) of 0 and 1, sparse or not.
        """
        videos = self._read(X, y, is_training=True)
        targets = self._read_targets(y, len(videos))
        # The type of y decides, not what these videos happen to show: folds would train different objectives.
        dataset = LabelledSet(videos, tuple(map(str, self.classes_)), targets, allows_several=self._is_indicator)
        nobody = np.array([], dtype=np.int64)
        self.run_: TrainingRun = fit_head(dataset, np.arange(len(videos)), nobody, self._config())
        return self

    def predict_proba(self, X: ArrayLike | Sequence[ArrayLike]) -> NDArray[np.float64]:
        """Return the probability of each label for each video, (N, C)."""
        check_is_fitted(self)
        videos = self._read(X, is_training=False)
        found = predict_probabilities(self.run_.head, _fill_up(videos), self.run_.thresholds, device=self.device)
        probabilities = found[: len(videos)].astype(np.float64)
        if self.run_.thresholds is None:
            probabilities /= probabilities.sum(axis=1, keepdims=True)
        return probabilities

    def predict(self, X: ArrayLike | Sequence[ArrayLike]) -> NDArray[Any]:
        """Return the label of each video, (N,), or its labels as 0 and 1, (N, C)."""
        found = decide_labels(self.predict_proba(X), self.run_.thresholds)
        if self._is_indicator:
            return found.astype(np.int64)
        return np.asarray(self.classes_[found.argmax(axis=1)])

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.three_d_array = True
        return tags

    def _config(self) -> TrainConfig:
        settings = self.get_params(deep=False)
        return TrainConfig(seed=_draw_seed(settings.pop("random_state")), **settings)

    def _read(self, X: Any, y: Any = "no_validation", *, is_training: bool) -> VideoSet:
        """Check X, and return its videos as one set."""
        sequences = _sequences(X)
        if sequences is None:
            if is_training:
                X, _ = validate_data(self, X, y, multi_output=True, dtype=np.float32)
            else:
                X = validate_data(self, X, reset=False, dtype=np.float32)
            sequences = [row[None] for row in X]
        else:
            if not sequences:
                raise ValueError("X has 0 videos. Pass at least one.")
            sequences = [check_array(video, dtype=np.float32) for video in sequences]
            self._check_dimension({video.shape[1] for video in sequences}, is_training=is_training)
        # A video is named by its content, so that its random frame does not depend on its place in X.
        ids = tuple(sha256(video.tobytes()).hexdigest() for video in sequences)
        return VideoSet(ids, np.concatenate(sequences), np.array([len(video) for video in sequences]))

    def _check_dimension(self, found: set[int], *, is_training: bool) -> None:
        expected = found if is_training else {self.n_features_in_}
        if len(found) > 1 or found != expected:
            raise ValueError(
                f"X has vectors of {', '.join(map(str, sorted(found)))} dimensions, but {type(self).__name__} is "
                f"expecting {', '.join(map(str, sorted(expected))) if not is_training else 'one number of them'}."
            )
        self.n_features_in_ = found.pop()

    def _read_targets(self, y: Any, video_count: int) -> NDArray[np.bool_]:
        """Return (N, C) bool, and learn the classes."""
        check_classification_targets(y)
        self._is_indicator = type_of_target(y) == "multilabel-indicator"
        if self._is_indicator:
            targets = (y.toarray() if issparse(y) else np.asarray(y)).astype(np.bool_)
            self.classes_ = np.arange(targets.shape[1])
        else:
            self.classes_, places = np.unique(column_or_1d(y, warn=True), return_inverse=True)
            targets = places[:, None] == np.arange(len(self.classes_))
        if len(targets) != video_count:
            raise ValueError(
                f"X has {counted(video_count, 'video')}, but y has {counted(len(targets), 'row')}. Pass one row of y "
                "for each video."
            )
        if targets.any(axis=0).sum() < 2:
            raise ValueError("y has one class only, or 1 class in all videos. Pass videos of at least two classes.")
        return targets


def _draw_seed(random_state: Any) -> int:
    """Return an integer as it is; draw one from a generator, for None from the global one, as scikit-learn does.

    Raises:
        ValueError: scikit-learn does not accept it.
    """
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _sequences(X: Any) -> list[Any] | None:
    """Return the videos of (N, T, D), or of a list of (T_i, D), which may be empty; None if X is something else."""
    is_list = isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1)
    is_many = len(X) == 0 or np.ndim(X[0]) == 2 if is_list else isinstance(X, np.ndarray) and X.ndim == 3
    return list(X) if is_many else None


def _fill_up(videos: VideoSet) -> VideoSet:
    """Repeat the last video until the number of videos is a multiple of `_ROUND_NUMBER`."""
    extra = -len(videos) % _ROUND_NUMBER
    last = np.repeat(len(videos) - 1, extra)
    indices = np.concatenate([np.arange(len(videos)), last])
    return take_videos(videos, indices)
