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
    from classify.classifier.classifier import VideoClassifier as VideoClassifier
    from classify.classifier.estimator import VideoHeadClassifier as VideoHeadClassifier
    from classify.classifier.export import ExportSummary as ExportSummary
    from classify.classifier.export import export_head as export_head
    from classify.classifier.prediction import PredictConfig as PredictConfig
    from classify.classifier.prediction import Prediction as Prediction
    from classify.classifier.prediction import Predictions as Predictions
    from classify.classifier.prediction import embed_labels as embed_labels
    from classify.classifier.prediction import grab_frames as grab_frames
    from classify.classifier.prediction import predict_videos as predict_videos
    from classify.comparison.comparison import CompareConfig as CompareConfig
    from classify.comparison.comparison import compare_heads as compare_heads
    from classify.comparison.contenders import Comparison as Comparison
    from classify.comparison.contenders import Contender as Contender
    from classify.data.description import DatasetDescription as DatasetDescription
    from classify.data.labels import LabelConfig as LabelConfig
    from classify.data.labels import LabelTable as LabelTable
    from classify.data.labels import read_labels as read_labels
    from classify.data.split_files import Split as Split
    from classify.data.split_files import SplitSummary as SplitSummary
    from classify.data.split_files import read_split as read_split
    from classify.data.splits import SplitConfig as SplitConfig
    from classify.data.splits import fold_videos as fold_videos
    from classify.data.splits import split_folds as split_folds
    from classify.data.splits import split_table as split_table
    from classify.data.splits import split_videos as split_videos
    from classify.errors import ClassifyError as ClassifyError
    from classify.errors import EncoderMismatch as EncoderMismatch
    from classify.errors import HeadError as HeadError
    from classify.errors import LabelError as LabelError
    from classify.errors import SplitError as SplitError
    from classify.errors import TrainError as TrainError
    from classify.experiment import TrainingReport as TrainingReport
    from classify.experiment import train_head as train_head
    from classify.heads.registry import list_heads as list_heads
    from classify.heads.standardised import StandardisedHead as StandardisedHead
    from classify.measures.bootstrap import BootstrapConfig as BootstrapConfig
    from classify.measures.bootstrap import Interval as Interval
    from classify.measures.bootstrap import bootstrap_difference as bootstrap_difference
    from classify.measures.bootstrap import bootstrap_intervals as bootstrap_intervals
    from classify.measures.evaluation import Evaluation as Evaluation
    from classify.measures.evaluation import Outcome as Outcome
    from classify.measures.evaluation import evaluate as evaluate
    from classify.measures.metrics import Metrics as Metrics
    from classify.measures.metrics import decide_labels as decide_labels
    from classify.measures.metrics import measure as measure
    from classify.measures.ranking import RankingMetrics as RankingMetrics
    from classify.measures.ranking import rank as rank
    from classify.report.dataset import describe_dataset as describe_dataset
    from classify.report.page import write_page as write_page
    from classify.report.trackers import log_training as log_training
    from classify.training.batches import LabelledSet as LabelledSet
    from classify.training.batches import VideoSet as VideoSet
    from classify.training.joint_training import TrainJob as TrainJob
    from classify.training.joint_training import fit_heads as fit_heads
    from classify.training.logits import predict_probabilities as predict_probabilities
    from classify.training.recipe import TrainConfig as TrainConfig
    from classify.training.training import TrainingRun as TrainingRun
    from classify.training.training import fit_head as fit_head

_HOME_OF = {
    "BootstrapConfig": "measures.bootstrap",
    "ClassifyError": "errors",
    "CompareConfig": "comparison.comparison",
    "Comparison": "comparison.contenders",
    "Contender": "comparison.contenders",
    "DatasetDescription": "data.description",
    "EncoderMismatch": "errors",
    "Evaluation": "measures.evaluation",
    "ExportSummary": "classifier.export",
    "HeadError": "errors",
    "Interval": "measures.bootstrap",
    "LabelConfig": "data.labels",
    "LabelError": "errors",
    "LabelTable": "data.labels",
    "LabelledSet": "training.batches",
    "Metrics": "measures.metrics",
    "Outcome": "measures.evaluation",
    "PredictConfig": "classifier.prediction",
    "Prediction": "classifier.prediction",
    "Predictions": "classifier.prediction",
    "RankingMetrics": "measures.ranking",
    "Split": "data.split_files",
    "SplitConfig": "data.splits",
    "SplitError": "errors",
    "SplitSummary": "data.split_files",
    "StandardisedHead": "heads.standardised",
    "TrainConfig": "training.recipe",
    "TrainError": "errors",
    "TrainJob": "training.joint_training",
    "TrainingReport": "experiment",
    "TrainingRun": "training.training",
    "VideoClassifier": "classifier.classifier",
    "VideoHeadClassifier": "classifier.estimator",
    "VideoSet": "training.batches",
    "bootstrap_difference": "measures.bootstrap",
    "bootstrap_intervals": "measures.bootstrap",
    "compare_heads": "comparison.comparison",
    "decide_labels": "measures.metrics",
    "describe_dataset": "report.dataset",
    "embed_labels": "classifier.prediction",
    "evaluate": "measures.evaluation",
    "export_head": "classifier.export",
    "fit_head": "training.training",
    "fit_heads": "training.joint_training",
    "fold_videos": "data.splits",
    "grab_frames": "classifier.prediction",
    "list_heads": "heads.registry",
    "log_training": "report.trackers",
    "measure": "measures.metrics",
    "predict_probabilities": "training.logits",
    "predict_videos": "classifier.prediction",
    "rank": "measures.ranking",
    "read_labels": "data.labels",
    "read_split": "data.split_files",
    "split_folds": "data.splits",
    "split_table": "data.splits",
    "split_videos": "data.splits",
    "train_head": "experiment",
    "write_page": "report.page",
}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
