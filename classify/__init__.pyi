from .classifier import (
    ExportSummary as ExportSummary,
    PredictConfig as PredictConfig,
    Prediction as Prediction,
    Predictions as Predictions,
    VideoClassifier as VideoClassifier,
    VideoHeadClassifier as VideoHeadClassifier,
    embed_labels as embed_labels,
    export_head as export_head,
    grab_frames as grab_frames,
    predict_videos as predict_videos,
)
from .comparison import (
    CompareConfig as CompareConfig,
    Comparison as Comparison,
    Contender as Contender,
    compare_heads as compare_heads,
)
from .data import (
    DatasetDescription as DatasetDescription,
    LabelConfig as LabelConfig,
    LabelTable as LabelTable,
    Split as Split,
    SplitConfig as SplitConfig,
    SplitSummary as SplitSummary,
    fold_videos as fold_videos,
    read_labels as read_labels,
    read_split as read_split,
    split_folds as split_folds,
    split_table as split_table,
    split_videos as split_videos,
)
from .errors import (
    ClassifyError as ClassifyError,
    EncoderMismatch as EncoderMismatch,
    HeadError as HeadError,
    LabelError as LabelError,
    SplitError as SplitError,
    TrainError as TrainError,
)
from .evaluation import HeadEvaluation as HeadEvaluation, evaluate_head as evaluate_head
from .experiment import train_head as train_head
from .heads import StandardisedHead as StandardisedHead, list_heads as list_heads
from .measures import (
    BootstrapConfig as BootstrapConfig,
    Evaluation as Evaluation,
    Interval as Interval,
    Metrics as Metrics,
    Outcome as Outcome,
    RankingMetrics as RankingMetrics,
    bootstrap_difference as bootstrap_difference,
    bootstrap_intervals as bootstrap_intervals,
    decide_labels as decide_labels,
    evaluate as evaluate,
    measure as measure,
    rank as rank,
)
from .moments import (
    Evidence as Evidence,
    Moment as Moment,
    find_evidence as find_evidence,
    read_evidence as read_evidence,
    spans_of as spans_of,
)
from .refresh import (
    RefreshConfig as RefreshConfig,
    RefreshSummary as RefreshSummary,
    refresh_head as refresh_head,
)
from .report import (
    describe_dataset as describe_dataset,
    log_training as log_training,
    plot_confidence as plot_confidence,
    plot_curves as plot_curves,
    plot_mixup as plot_mixup,
    plot_videos as plot_videos,
    write_evaluation_page as write_evaluation_page,
    write_page as write_page,
)
from .streaming import (
    LabelRule as LabelRule,
    StreamConfig as StreamConfig,
    StreamSummary as StreamSummary,
    stream_predictions as stream_predictions,
    watch_folders as watch_folders,
)
from .training import (
    RECIPES as RECIPES,
    LabelledSet as LabelledSet,
    TrainConfig as TrainConfig,
    TrainingRun as TrainingRun,
    TrainJob as TrainJob,
    VideoSet as VideoSet,
    fit_head as fit_head,
    fit_heads as fit_heads,
    predict_probabilities as predict_probabilities,
)
from .training_report import TrainingReport as TrainingReport
