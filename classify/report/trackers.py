"""Records of a training run for programs that compare runs: TensorBoard, MLflow, and Weights & Biases.

Each gets what history.csv and report.json hold: the recipe, the figures of each epoch with the epoch as their step, and
the figures of each part.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from classify.errors import ClassifyError

if TYPE_CHECKING:  # the command line reads the names of TRACKERS, and training loads torch
    from classify.training_report import TrainingReport

LOG_FOLDER = "runs"
"""Folder for TensorBoard's files: runs/{name of the head's folder}-{year-month-day_hour-minute-second-microsecond}."""


def check_tracker(tracker: str) -> None:
    """Check before a training run that its record can be written after it.

    Raises:
        ClassifyError: there is no such tracker, or its package is not installed.
    """
    if tracker not in TRACKERS:
        raise ClassifyError(f"There is no tracker {tracker!r}. Choose one of: {', '.join(TRACKERS)}.")
    if find_spec(_MODULE_OF.get(tracker, tracker)) is None:
        raise ClassifyError(
            f"Logging to {tracker} needs its package. Install it: pip install '.[{tracker}]' in framehead's folder"
        )


def log_training(report: "TrainingReport", tracker: str) -> None:
    """Write the record of a training run to a tracker.

    Args:
        report: what `train_head` returned.
        tracker: one of TRACKERS. "tensorboard" writes to a new folder in `runs/`, "mlflow" to MLFLOW_TRACKING_URI,
            and "wandb" where its own variables say, such as WANDB_MODE, WANDB_PROJECT and WANDB_DIR.

    Raises:
        ClassifyError: there is no such tracker, its package is not installed, or it refuses the record. The head stays
            as it is.
    """
    check_tracker(tracker)
    TRACKERS[tracker](report)


def _log_to_tensorboard(report: "TrainingReport") -> None:
    from tensorboardX import SummaryWriter

    # TensorBoard draws all files in one folder as one curve.
    moment = datetime.now().astimezone()
    folder = Path(LOG_FOLDER, f"{report.folder.name}-{moment:%Y-%m-%d_%H-%M-%S-%f}")
    with SummaryWriter(str(folder)) as writer:
        for name, value in _recipe(report).items():
            writer.add_text(f"config/{name}", str(value))
        for epoch, figures in _epochs(report).items():
            for name, value in figures.items():
                writer.add_scalar(name, value, epoch)
        for name, value in _results(report).items():
            writer.add_scalar(name, value, report.best_epoch)


def _log_to_mlflow(report: "TrainingReport") -> None:
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        with mlflow.start_run(run_name=report.folder.name):
            mlflow.log_params(_recipe(report))
            for epoch, figures in _epochs(report).items():
                mlflow.log_metrics(figures, step=epoch)
            mlflow.log_metrics(_results(report), step=report.best_epoch)
    except MlflowException as error:
        raise ClassifyError(
            f"{report.folder} holds the trained head, but MLflow refuses its record: {error} Set "
            "MLFLOW_TRACKING_URI to a server, or MLFLOW_ALLOW_FILE_STORE=true for a folder."
        ) from error


def _log_to_wandb(report: "TrainingReport") -> None:
    import wandb

    # If the caller has a run open, it stays open. Output of the command stays out of the record.
    settings = wandb.Settings(reinit="create_new", console="off")
    try:
        with wandb.init(name=report.folder.name, config=_recipe(report), settings=settings) as run:
            for epoch, figures in _epochs(report).items():
                run.log(figures, step=epoch)
            run.summary.update(_results(report))
    except (wandb.Error, ValueError) as error:  # ValueError: a variable has a value that wandb does not know
        raise ClassifyError(
            f"{report.folder} holds the trained head, but Weights & Biases refuses its record: {error} Run "
            "`wandb login`, or set WANDB_MODE=offline to keep the record in a folder."
        ) from error


TRACKERS: dict[str, Callable[["TrainingReport"], None]] = {
    "tensorboard": _log_to_tensorboard,
    "mlflow": _log_to_mlflow,
    "wandb": _log_to_wandb,
}
_MODULE_OF = {"tensorboard": "tensorboardX"}  # the modules of others have the names of their trackers


def _recipe(report: "TrainingReport") -> dict[str, object]:
    return asdict(report.classifier.config)


def _epochs(report: "TrainingReport") -> Mapping[int, dict[str, float]]:
    """Return epoch -> name -> figure, without figures of validation if there are no validation videos."""
    return {
        record.epoch: {
            name: float(value)
            for name, value in asdict(record).items()
            if name not in ("epoch", "step") and value is not None
        }
        for record in report.history
    }


def _results(report: "TrainingReport") -> dict[str, float]:
    return {
        f"{part}/{name}": float(getattr(metrics, name))
        for part, metrics in report.parts.items()
        for name in ("micro_f1", "macro_f1", "accuracy")
    }
