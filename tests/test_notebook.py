"""The notebooks in resources/ run from their first cells to their last, and are saved with what they show."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

RESOURCES = Path(__file__).parents[1] / "resources"
EXPERIMENTS, FIRST_STEPS = RESOURCES / "experiments.ipynb", RESOURCES / "first_steps.ipynb"
RECORDINGS = ("seq01", "seq02", "seq11", "seq12")

Execute = Callable[[nbformat.NotebookNode, Path], list[nbformat.NotebookNode]]


@pytest.fixture
def make_clips(ut_interaction6: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make a folder "clips" of recordings with six clips each."""

    def make(folder: str, recordings: tuple[str, ...]) -> Path:
        clips = tmp_path / folder / "clips"
        with (ut_interaction6 / "labels.csv").open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["group"] in recordings]
        for row in rows:
            clip = clips / row["path"]
            clip.parent.mkdir(parents=True, exist_ok=True)
            clip.symlink_to(ut_interaction6 / row["path"])
        with (clips / "labels.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        return clips

    return make


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Execute:
    """Run a notebook on a folder's clips, in small and in one WORK folder for all runs; return what it shows."""

    def run(notebook: nbformat.NotebookNode, clips: Path) -> list[nbformat.NotebookNode]:
        sizes = {"FRAMES": 3, "EPOCHS": 2, "FOLDS": 2, "SEEDS": 1, "BUDGET_S": 5}
        for name, value in {**sizes, "CLIPS": clips, "WORK": tmp_path / "work"}.items():
            monkeypatch.setenv(name, str(value))
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(RESOURCES)}}).execute()
        return [output for cell in notebook.cells for output in cell.get("outputs", [])]

    return run


@pytest.mark.nightly  # the first steps, below, run always
def test_every_cell_of_the_experiments_runs(make_clips: Callable[..., Path], execute: Execute) -> None:
    notebook = nbformat.read(EXPERIMENTS, as_version=4)

    shown = execute(notebook, make_clips("few", RECORDINGS))

    assert "24 videos" in str(shown)
    assert "over no mixup" in str(shown)
    assert sum("image/png" in output.get("data", {}) for output in shown) == 5


def test_the_first_steps_lead_from_a_folder_to_a_label(
    make_clips: Callable[..., Path], execute: Execute, tmp_path: Path
) -> None:
    notebook = nbformat.read(FIRST_STEPS, as_version=4)

    shown = execute(notebook, make_clips("few", RECORDINGS))

    assert "Chosen: arch" in str(shown)
    assert re.search(r"\w+/set\d_\w+\.avi`: \('\w+',\), \d+%", str(shown))
    assert sum("image/png" in output.get("data", {}) for output in shown) == 2
    assert (tmp_path / "work" / "head" / "report.html").exists()


@pytest.mark.nightly  # two more runs
def test_other_clips_in_the_same_work_folder_get_results_of_their_own(
    make_clips: Callable[..., Path], execute: Execute
) -> None:
    notebook = nbformat.read(EXPERIMENTS, as_version=4)
    needed = ("import os", "embed_videos(", "compare_heads(")  # figures take longer than all of these
    notebook.cells = [
        cell for cell in notebook.cells if cell.cell_type == "code" and any(text in cell.source for text in needed)
    ]
    execute(notebook, make_clips("some", RECORDINGS[:2]))

    shown = execute(notebook, make_clips("others", RECORDINGS[1:]))

    assert "18 videos" in str(shown)


@pytest.mark.parametrize("path", [EXPERIMENTS, FIRST_STEPS], ids=lambda path: path.stem)
def test_it_is_saved_whole_and_small_with_nothing_of_the_machine_it_ran_on(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]

    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    assert all(
        output["output_type"] in ("display_data", "execute_result") for cell in cells for output in cell["outputs"]
    )
    assert "/tmp/" not in text
    assert len(text) < 400_000
