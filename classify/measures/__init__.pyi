from .bootstrap import (
    BootstrapConfig as BootstrapConfig,
    Interval as Interval,
    bootstrap_difference as bootstrap_difference,
    bootstrap_intervals as bootstrap_intervals,
    bootstrap_labels as bootstrap_labels,
)
from .calibration import (
    calibrate as calibrate,
    calibration_error as calibration_error,
    choose_temperature as choose_temperature,
    fit_temperature as fit_temperature,
    move_thresholds as move_thresholds,
)
from .evaluation import Evaluation as Evaluation, Outcome as Outcome, evaluate as evaluate
from .evaluation_log import log_evaluation as log_evaluation
from .metrics import Metrics as Metrics, decide_labels as decide_labels, measure as measure, micro_f1 as micro_f1
from .ranking import RankingMetrics as RankingMetrics, rank as rank
from .thresholds import HALF as HALF, tune_thresholds as tune_thresholds
