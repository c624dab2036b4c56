import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from classify import ClassifyError, TrainConfig, TrainingReport, log_training, split_videos, train_head
from classify.report.trackers import check_tracker


@pytest.fixture
def report(toy_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingReport:
    """A training run of three epochs, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    split_videos(toy_store, "split.csv")
    return train_head(toy_store, "split.csv", "head", config=TrainConfig(epochs=3))


def test_tensorboards_files_hold_each_epochs_loss_and_the_test_figures(report: TrainingReport) -> None:
    from tensorboardX.proto.event_pb2 import Event

    log_training(report, "tensorboard")

    (path,) = Path("runs").glob("head-*/*")
    content = path.read_bytes()
    values: dict[str, list[float]] = {}
    while content:  # a record: 8 bytes of length, 4 of its checksum, the event, 4 of its checksum
        length = int.from_bytes(content[:8], "little")
        for value in Event.FromString(content[12 : 12 + length]).summary.value:
            values.setdefault(value.tag, []).append(value.simple_value)
        content = content[16 + length :]
    assert values["train_loss"] == pytest.approx([record.train_loss for record in report.history])
    assert values["test/micro_f1"] == pytest.approx([report.parts["test"].micro_f1])


def test_each_training_run_into_one_folder_is_a_run_of_its_own_in_tensorboard(report: TrainingReport) -> None:
    log_training(report, "tensorboard")
    log_training(report, "tensorboard")

    earlier, later = sorted(Path("runs").iterdir())
    assert re.fullmatch(r"head-\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{6}", earlier.name)
    assert [len([*earlier.iterdir()]), len([*later.iterdir()])] == [1, 1]


def test_mlflow_has_each_epochs_loss_the_recipe_and_the_test_figures(
    report: TrainingReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database would need packages that the client lacks
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    from mlflow import MlflowClient

    log_training(report, "mlflow")

    client = MlflowClient()
    (run,) = client.search_runs(["0"])
    losses = [found.value for found in client.get_metric_history(run.info.run_id, "train_loss")]
    assert losses == pytest.approx([record.train_loss for record in report.history])
    assert run.data.params["arch"] == "linear"
    assert run.data.metrics["test/micro_f1"] == report.parts["test"].micro_f1


def test_what_mlflow_refuses_says_how_to_go_on(
    report: TrainingReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    with pytest.raises(ClassifyError, match=r"head holds the trained head, but.*MLFLOW_ALLOW_FILE_STORE=true for"):
        log_training(report, "mlflow")


@pytest.fixture
def wandb_offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Weights & Biases as it is without a network; the process that it starts ends with the test."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_PROJECT", "videos")
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield
    import wandb

    wandb.teardown()


@pytest.mark.usefixtures("wandb_offline")
def test_wandbs_file_holds_the_recipe_each_epochs_loss_and_the_test_figures(
    report: TrainingReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "records"))
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    log_training(report, "wandb")
    wandb.teardown()  # waits for the process that writes the file: under load it is not whole before

    (path,) = (tmp_path / "records").glob("wandb/offline-run-*/*.wandb")
    content = path.read_bytes()[7:]  # the file's own header
    assert len(content) < 32768, "a longer file has records in several pieces"
    records = []
    while content:  # a record: 4 bytes of checksum, 2 of its length, 1 of its kind
        end = 7 + int.from_bytes(content[4:6], "little")
        records.append(Record.FromString(content[7:end]))
        content = content[end:]
    (run,) = (record.run for record in records if record.HasField("run"))
    steps = {
        record.history.step.num: {item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.HasField("history")
    }
    summary = {item.key: item.value_json for record in records for item in record.summary.update}
    assert (run.project, run.display_name) == ("videos", "head")
    assert {item.key: item.value_json for item in run.config.update}["arch"] == '"linear"'
    assert [*steps] == [1, 2, 3]
    assert [figures["train_loss"] for figures in steps.values()] == [record.train_loss for record in report.history]
    assert json.loads(summary["test/micro_f1"]) == report.parts["test"].micro_f1


@pytest.mark.parametrize("mode", ["online", "on-line"])
def test_what_wandb_refuses_says_how_to_go_on(
    report: TrainingReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    monkeypatch.setenv("HOME", str(tmp_path))  # where a login would lie
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with pytest.raises(ClassifyError, match=r"(?s)head holds the trained head, but.*wandb login.*WANDB_MODE=offline"):
        log_training(report, "wandb")


def test_the_trackers_names_cost_no_heavy_import() -> None:
    code = "import sys; from classify.report.trackers import TRACKERS; print(*TRACKERS, 'torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["tensorboard", "mlflow", "wandb", "False"]


def test_a_tracker_whose_package_is_absent_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)

    with pytest.raises(ClassifyError, match=r"tensorboard needs its package. Install it: pip install '\.\[tens"):
        check_tracker("tensorboard")


def test_an_unknown_tracker_is_refused_with_the_list(report: TrainingReport) -> None:
    with pytest.raises(ClassifyError, match=r"no tracker 'paper'. Choose one of: tensorboard, mlflow, wandb"):
        log_training(report, "paper")
