from pathlib import Path

import pytest

from classify import ClassifyError, TrainConfig, TrainingReport, log_training, split_videos, train_head


@pytest.fixture
def report(toy_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingReport:
    """A training of three epochs, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    split_videos(toy_store, "split.csv")
    return train_head(toy_store, "split.csv", "head", config=TrainConfig(epochs=3))


def test_tensorboards_files_hold_each_epochs_loss_and_the_test_figures(report: TrainingReport) -> None:
    from tensorboardX.proto.event_pb2 import Event

    log_training(report, "tensorboard")

    content = next(Path("runs/head").iterdir()).read_bytes()
    values: dict[str, list[float]] = {}
    while content:  # a record: 8 bytes of length, 4 of its checksum, the event, 4 of its checksum
        length = int.from_bytes(content[:8], "little")
        for value in Event.FromString(content[12 : 12 + length]).summary.value:
            values.setdefault(value.tag, []).append(value.simple_value)
        content = content[16 + length :]
    assert values["train_loss"] == pytest.approx([record.train_loss for record in report.history])
    assert values["test/micro_f1"] == pytest.approx([report.parts["test"].micro_f1])


def test_mlflow_knows_each_epochs_loss_the_recipe_and_the_test_figures(
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


def test_an_unknown_tracker_is_refused_with_the_list(report: TrainingReport) -> None:
    with pytest.raises(ClassifyError, match=r"no tracker 'paper'. Choose one of: tensorboard, mlflow"):
        log_training(report, "paper")
