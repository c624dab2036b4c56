"""Vectors and labels -> a classifier, in seconds.

    from classify import predict_videos, split_videos, train_head

    split_videos("embeddings.h5", "split.csv")
    report = train_head("embeddings.h5", "split.csv", "head/")
    predictions = predict_videos("head/", ["new_videos/"])

Names load when they are first used, so `import classify` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `as` tells type checkers that the names are public
    from classify.batches import LabelledSet as LabelledSet
    from classify.batches import VideoSet as VideoSet
    from classify.bootstrap import BootstrapConfig as BootstrapConfig
    from classify.bootstrap import Interval as Interval
    from classify.bootstrap import bootstrap_difference as bootstrap_difference
    from classify.bootstrap import bootstrap_intervals as bootstrap_intervals
    from classify.classifier import VideoClassifier as VideoClassifier
    from classify.comparison import CompareConfig as CompareConfig
    from classify.comparison import compare_heads as compare_heads
    from classify.contenders import Comparison as Comparison
    from classify.contenders import Contender as Contender
    from classify.dataset import describe_dataset as describe_dataset
    from classify.description import DatasetDescription as DatasetDescription
    from classify.errors import ClassifyError as ClassifyError
    from classify.errors import EncoderMismatch as EncoderMismatch
    from classify.errors import HeadError as HeadError
    from classify.errors import LabelError as LabelError
    from classify.errors import SplitError as SplitError
    from classify.errors import TrainError as TrainError
    from classify.estimator import VideoHeadClassifier as VideoHeadClassifier
    from classify.evaluation import Evaluation as Evaluation
    from classify.evaluation import Outcome as Outcome
    from classify.evaluation import evaluate as evaluate
    from classify.experiment import TrainingReport as TrainingReport
    from classify.experiment import train_head as train_head
    from classify.export import ExportSummary as ExportSummary
    from classify.export import export_head as export_head
    from classify.heads import StandardisedHead as StandardisedHead
    from classify.heads import list_heads as list_heads
    from classify.joint_training import TrainJob as TrainJob
    from classify.joint_training import fit_heads as fit_heads
    from classify.labels import LabelConfig as LabelConfig
    from classify.labels import LabelTable as LabelTable
    from classify.labels import read_labels as read_labels
    from classify.logits import predict_probabilities as predict_probabilities
    from classify.metrics import Metrics as Metrics
    from classify.metrics import decide_labels as decide_labels
    from classify.metrics import measure as measure
    from classify.prediction import PredictConfig as PredictConfig
    from classify.prediction import Prediction as Prediction
    from classify.prediction import Predictions as Predictions
    from classify.prediction import embed_labels as embed_labels
    from classify.prediction import grab_frames as grab_frames
    from classify.prediction import predict_videos as predict_videos
    from classify.ranking import RankingMetrics as RankingMetrics
    from classify.ranking import rank as rank
    from classify.recipe import TrainConfig as TrainConfig
    from classify.report_page import write_page as write_page
    from classify.run_trackers import log_training as log_training
    from classify.split_files import Split as Split
    from classify.split_files import SplitSummary as SplitSummary
    from classify.split_files import read_split as read_split
    from classify.splits import SplitConfig as SplitConfig
    from classify.splits import fold_videos as fold_videos
    from classify.splits import split_folds as split_folds
    from classify.splits import split_table as split_table
    from classify.splits import split_videos as split_videos
    from classify.training import TrainingRun as TrainingRun
    from classify.training import fit_head as fit_head

_HOME_OF = {
    "BootstrapConfig": "bootstrap",
    "ClassifyError": "errors",
    "CompareConfig": "comparison",
    "Comparison": "contenders",
    "Contender": "contenders",
    "DatasetDescription": "description",
    "EncoderMismatch": "errors",
    "Evaluation": "evaluation",
    "ExportSummary": "export",
    "HeadError": "errors",
    "Interval": "bootstrap",
    "LabelConfig": "labels",
    "LabelError": "errors",
    "LabelTable": "labels",
    "LabelledSet": "batches",
    "Metrics": "metrics",
    "Outcome": "evaluation",
    "PredictConfig": "prediction",
    "Prediction": "prediction",
    "Predictions": "prediction",
    "RankingMetrics": "ranking",
    "Split": "split_files",
    "SplitConfig": "splits",
    "SplitError": "errors",
    "SplitSummary": "split_files",
    "StandardisedHead": "heads",
    "TrainConfig": "recipe",
    "TrainError": "errors",
    "TrainJob": "joint_training",
    "TrainingReport": "experiment",
    "TrainingRun": "training",
    "VideoClassifier": "classifier",
    "VideoHeadClassifier": "estimator",
    "VideoSet": "batches",
    "bootstrap_difference": "bootstrap",
    "bootstrap_intervals": "bootstrap",
    "compare_heads": "comparison",
    "decide_labels": "metrics",
    "describe_dataset": "dataset",
    "embed_labels": "prediction",
    "evaluate": "evaluation",
    "export_head": "export",
    "fit_head": "training",
    "fit_heads": "joint_training",
    "fold_videos": "splits",
    "grab_frames": "prediction",
    "list_heads": "heads",
    "log_training": "run_trackers",
    "measure": "metrics",
    "predict_probabilities": "logits",
    "predict_videos": "prediction",
    "rank": "ranking",
    "read_labels": "labels",
    "read_split": "split_files",
    "split_folds": "splits",
    "split_table": "splits",
    "split_videos": "splits",
    "train_head": "experiment",
    "write_page": "report_page",
}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
