"""resources/experiments.ipynb runs from its first cell to its last, and is saved with what it shows."""

import csv
import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "resources" / "experiments.ipynb"
RECORDINGS = ("seq01", "seq02", "seq11", "seq12")


@pytest.fixture
def few_clips(ut_interaction6: Path, tmp_path: Path) -> Path:
    """Four recordings of six clips each."""
    with (ut_interaction6 / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["group"] in RECORDINGS]
    for row in rows:
        clip = tmp_path / "clips" / row["path"]
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.symlink_to(ut_interaction6 / row["path"])
    with (tmp_path / "clips" / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path / "clips"


def test_every_cell_runs(few_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"FRAMES": 3, "EPOCHS": 2, "FOLDS": 2, "SEEDS": 1, "CLIPS": few_clips, "WORK": tmp_path / "work"}
    for name, value in sizes.items():
        monkeypatch.setenv(name, str(value))
    notebook = nbformat.read(NOTEBOOK, as_version=4)

    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()

    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert "24 videos" in str(shown)
    assert "over no mixup" in str(shown)
    assert sum("image/png" in output.get("data", {}) for output in shown) == 5


def test_it_is_saved_whole_and_small_with_nothing_of_the_machine_it_ran_on() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]

    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    assert all(
        output["output_type"] in ("display_data", "execute_result") for cell in cells for output in cell["outputs"]
    )
    assert "/tmp/" not in text
    assert len(text) < 400_000
