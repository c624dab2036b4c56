"""The house's rules, checked from the code's own imports: which way they point, and what loads when.

A module is the second part of its dotted name, so `embed.encoders` and all below it are one.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each module imports only from the rows above its own. A new module takes its place here.
LAYERS = {
    "embed": (
        {"allocation", "background", "bits", "clock", "cores", "decoders", "progress", "random_access"},
        {"av1_headers", "h264_headers"},
        {"bitstreams", "errors", "pictures", "torchvision_operators"},
        {"copies", "gathering", "hdf5_reading", "isolation", "locations", "video_lists", "whole_files"},
        {"h264_references", "page_links", "preprocessing", "sparse_copies", "timeline", "videos"},
        {"planning", "sampling", "transfers", "views"},
        {"fetching", "packet_feed", "plan_parts", "provenance", "tables"},
        {"pieces"},
        {"parts"},
        {"reading"},
        {"writing"},
        {"store"},
        {"decoding", "encoders", "inspection", "merging"},
        {"nvdec", "repair", "sparse_reading"},
        {"decode_worker"},
        {"changes", "decode_process"},
        {"decode_pool"},
        {"encode_time", "encoding", "fidelity", "frames_ahead"},
        {"run_config", "run_log"},
        {"encoder_choice"},
        {"pipeline"},
        {"result_texts"},
        {"cli"},
    ),
    "classify": (
        {"errors", "files", "picture_style", "progress"},
        {"calibration", "devices", "label_errors", "label_files", "metrics", "ranking"}
        | {"recipe", "stratification", "thresholds"},
        {"bootstrap", "history", "labels", "objective", "onnx_recurrence", "optimisation", "prompts"},
        {"contenders", "evaluation", "near_duplicates", "report_plots", "split_files"},
        {"comparison_picture", "description", "evaluation_log", "heads", "report_tables", "splits"},
        {"batches", "plots"},
        {"baselines", "dataset", "mixup"},
        {"device_sets"},
        {"logits"},
        {"training"},
        {"candidates", "classifier", "joint_training"},
        {"selection", "trials"},
        {"trial_files"},
        {"comparison", "estimator", "experiment"},
        {"export", "prediction", "report_page", "run_trackers"},
        {"texts"},
        {"cli"},
    ),
}
# What classify may import anywhere: a store, what made it, and what the machine has.
STORE = {"embed.store", "embed.store.provenance", "embed.machine.cores"}
MORE_THAN_THE_STORE = {
    "classify.classifier.prediction": {"embed"},
    "classify.cli": {"embed", "embed.errors", "embed.cli"},
}
HEAVY = {
    *("av", "cleanlab", "cv2", "h5py", "matplotlib", "mlflow", "onnx", "onnxruntime"),
    *("onnxscript", "open_clip", "scipy", "sklearn", "tensorboardX", "timm", "torch", "torchvision"),
    "wandb",
}
NAMES_OF_NOTHING = {
    *("base", "common", "core", "handler", "handlers", "helper", "helpers", "manager", "misc", "processor"),
    *("util", "utils", "wrapper", "wrappers"),
}
LONGEST_FILE = 350


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    """Yield the dotted name of every module that a file imports, also inside functions and for type checkers."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by dots: write the whole name"
            # `from embed import store` means the module, `from embed import EmbedConfig` the package.
            for alias in node.names:
                below = ROOT.joinpath(*(node.module or "").split("."), alias.name)
                is_module = below.is_dir() or below.with_suffix(".py").is_file()
                yield f"{node.module}.{alias.name}" if is_module else f"{node.module}"


def modules_of(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def house_of(name: str) -> str:
    """Return the module of the table that a dotted name belongs to, e.g. `encoders` for `embed.encoders.open_clip`."""
    return name.split(".")[1] if "." in name else ""


setup = ConfigParser()
setup.read(ROOT / "setup.cfg")
MODULES = [path for package in LAYERS for path in modules_of(package)]
PYTHON_FILES = [*MODULES, *sorted(ROOT.glob("scripts/*.py")), *sorted(ROOT.glob("tests/**/*.py"))]
COMMANDS = dict(line.split(" = ") for line in setup.get("options.entry_points", "console_scripts").strip().splitlines())
every_module = pytest.mark.parametrize("path", MODULES, ids=name_of)
every_file = pytest.mark.parametrize("path", PYTHON_FILES, ids=name_of)


@pytest.mark.parametrize("package", LAYERS)
def test_every_module_has_its_place_among_the_layers(package: str) -> None:
    placed = {name for layer in LAYERS[package] for name in layer}
    assert {house_of(name_of(path)) for path in modules_of(package)} - {""} == placed


@every_module
def test_imports_point_one_way(path: Path) -> None:
    package, house = name_of(path).split(".")[0], house_of(name_of(path))
    rank = {name: number for number, layer in enumerate(LAYERS[package]) for name in layer}
    inside = {house_of(name) for name in imports_of(path) if name.split(".")[0] == package} - {house, ""}
    upwards = {name for name in inside if rank[name] >= rank.get(house, len(rank))}
    assert not upwards, f"{house} imports {upwards}, which stand beside or above it: move the code down"


@pytest.mark.parametrize("path", modules_of("embed"), ids=name_of)
def test_embed_knows_nothing_of_classify(path: Path) -> None:
    assert "classify" not in {name.split(".")[0] for name in imports_of(path)}


@pytest.mark.parametrize("path", modules_of("classify"), ids=name_of)
def test_classify_sees_of_embed_the_store_alone_but_where_it_opens_videos(path: Path) -> None:
    seen = {name for name in imports_of(path) if name.split(".")[0] == "embed"}
    assert seen <= STORE | MORE_THAN_THE_STORE.get(name_of(path), set())


@every_module
def test_click_lives_in_the_two_cli_files(path: Path) -> None:
    uses_click = "click" in {name.split(".")[0] for name in imports_of(path)}
    assert uses_click == (name_of(path) in {"embed.cli", "classify.cli"})


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("import embed", id="embed"),
        pytest.param("import classify", id="classify"),
        *(
            pytest.param(f"from {target.replace(':', ' import ')} as f; f(['--help'], standalone_mode=False)", id=name)
            for name, target in COMMANDS.items()
        ),
    ],
)
def test_nothing_heavy_loads_before_it_is_used(statement: str) -> None:
    code = f"import sys; {statement}; print('loaded:', *sorted({HEAVY!r} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1].strip() == "loaded:"


@every_module
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@every_file
def test_files_are_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@every_file
def test_names_of_files_say_something(path: Path) -> None:
    assert not NAMES_OF_NOTHING & set(path.stem.split("_"))
