"""The rules of the house, checked from the code's own imports: floors, doors, sizes, and what loads when.

A folder with an `__init__.py` is a wing. Its door is `__init__.py` (a docstring) with `__init__.pyi` (the names that
other wings may use, and that `lazy_loader` loads on first use).
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Wings, and modules beside them, from the lowest floor to the highest. A floor imports only from those before it.
FLOORS = {
    "embed": (
        {"errors"},
        {"machine"},
        {"video"},
        {"sources"},
        {"store"},
        {"decode_pool", "joining", "reduction"},
        {"encoders"},
        {"run", "interchange"},
        {"search"},
        {"cli"},
    ),
    "classify": (
        {"errors"},
        {"files", "picture_style", "progress"},
        {"data", "heads"},
        {"measures", "corrections"},
        {"training"},
        {"comparison", "moments"},
        {"classifier"},
        {"streaming", "training_report"},
        {"experiment", "evaluation"},
        {"report"},
        {"refresh"},
        {"web"},
        {"cli"},
    ),
}
# Lists: one file an architecture, one a family of encoders. They may grow.
LISTS = {"classify.heads", "embed.encoders"}
MOST_FILES, MOST_LINES = 15, 350
# What classify may import of embed anywhere: a store, and what the machine has.
STORE = {"embed.store", "embed.machine"}
MORE_THAN_THE_STORE = {
    "classify.data": {"embed.search"},  # near duplicates
    "classify.heads.last_block": {"embed"},  # this head is a part of the encoder
    "classify.classifier": {"embed"},
    "classify.refresh": {"embed"},
    "classify.streaming": {"embed"},
    "classify.web.collection": {"embed", "embed.search"},
    "classify.web.routes": {"embed"},
    "classify.web.tagging": {"embed", "embed.decode_pool", "embed.encoders", "embed.run", "embed.video"},
    "classify.web.media": {"embed", "embed.video"},
    "classify.cli": {"embed", "embed.errors", "embed.cli"},
}
HEAVY = {
    *("av", "cleanlab", "cv2", "h5py", "matplotlib", "mlflow", "onnx", "onnxruntime"),
    *("onnxscript", "open_clip", "scipy", "sklearn", "tensorboardX", "timm", "torch", "torchvision"),
    *("fastapi", "google_crc32c", "starlette", "transformers", "uvicorn", "wandb", "wordllama"),
}
NAMES_OF_NOTHING = {
    *("base", "common", "core", "handler", "handlers", "helper", "helpers", "manager", "misc", "processor"),
    *("util", "utils", "wrapper", "wrappers"),
}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    place = ROOT.joinpath(*name.split("."))
    return place.is_dir() or place.with_suffix(".py").is_file()


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Return the dotted name of every module that a file imports, also inside functions and for type checkers."""
    return frozenset(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by dots: write the whole name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if is_module(whole) else f"{node.module}"


def modules_of(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def house_of(name: str) -> str:
    """Return the wing, or the module beside the wings, of a dotted name: `video` for `embed.video.codecs.bits`."""
    return name.split(".")[1] if "." in name else ""


def wing_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).parent.parts)


def door_to(name: str, wing: str) -> str:
    """Return what a file of `wing` must import to use the module `name`: the door of the outermost other wing."""
    inside = wing.split(".")
    parts = name.split(".")
    for count in range(2, len(parts) + 1):
        folder = ".".join(parts[:count])
        if ROOT.joinpath(*parts[:count]).is_dir() and inside[:count] != parts[:count]:
            return folder
    return name


setup = ConfigParser()
setup.read(ROOT / "setup.cfg")
MODULES = [path for package in FLOORS for path in modules_of(package)]
FOLDERS = sorted({path.parent for path in MODULES})
SCRIPTS = sorted(ROOT.glob("scripts/*.py"))
PYTHON_FILES = [*MODULES, *SCRIPTS, *sorted(ROOT.glob("tests/**/*.py"))]
DOORS = [path for path in MODULES if path.name == "__init__.py"]
WINGS = [path for path in DOORS if name_of(path) not in FLOORS]
COMMANDS = dict(line.split(" = ") for line in setup.get("options.entry_points", "console_scripts").strip().splitlines())
every_module = pytest.mark.parametrize("path", MODULES, ids=name_of)
every_file = pytest.mark.parametrize("path", PYTHON_FILES, ids=name_of)
every_door = pytest.mark.parametrize("path", DOORS, ids=name_of)
every_wing = pytest.mark.parametrize("path", WINGS, ids=name_of)


def handed_on(door: Path) -> dict[str, list[str]]:
    """Return what a door hands on: file of its wing -> names."""
    statements = ast.parse(door.with_suffix(".pyi").read_text(encoding="utf-8")).body
    return {
        node.module or "": [alias.name for alias in node.names]
        for node in statements
        if isinstance(node, ast.ImportFrom)
    }


@pytest.mark.parametrize("package", FLOORS)
def test_every_module_has_its_floor(package: str) -> None:
    placed = {name for floor in FLOORS[package] for name in floor}
    assert {house_of(name_of(path)) for path in modules_of(package)} - {"", "__main__"} == placed


@every_module
def test_imports_point_down(path: Path) -> None:
    package, house = name_of(path).split(".")[0], house_of(name_of(path))
    rank = {name: number for number, floor in enumerate(FLOORS[package]) for name in floor}
    inside = {house_of(name) for name in imports_of(path) if name.split(".")[0] == package} - {house, ""}
    upwards = {name for name in inside if rank[name] >= rank.get(house, len(rank))}
    assert not upwards, f"{house} imports {upwards}, which stand beside or above it: move the code down"


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS], ids=name_of)
def test_other_wings_are_entered_by_their_doors(path: Path) -> None:
    ours = {name for name in imports_of(path) if name.split(".")[0] in FLOORS and "." in name}
    past = {name: door_to(name, wing_of(path)) for name in ours if door_to(name, wing_of(path)) != name}
    assert not past, f"import from the door: {past}"


def test_no_module_imports_itself_through_others() -> None:
    graph = {
        name_of(path): {name for name in imports_of(path) if name.split(".")[0] in FLOORS and name != name_of(path)}
        for path in MODULES
    }
    for door in DOORS:  # whoever enters by a door may load all that it hands on
        graph[name_of(door)] |= {f"{name_of(door)}.{file}" for file in handed_on(door)}
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


@every_door
def test_a_door_hands_on_what_its_files_define(path: Path) -> None:
    wing = import_module(name_of(path))
    names = [name for names in handed_on(path).values() for name in names]
    assert sorted(wing.__all__) == sorted(names)
    assert all(hasattr(wing, name) for name in names)


@every_wing
def test_a_door_says_what_comes_in_what_goes_out_and_what_to_read_first(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    for word in ("In: ", "Out: ", "Read first: "):
        assert f"\n{word}" in text


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_folder_has_a_door_and_few_enough_files_to_know(folder: Path) -> None:
    assert (folder / "__init__.py").is_file()
    assert name_of(folder) in LISTS or len(list(folder.glob("*.py"))) <= MOST_FILES


@pytest.mark.parametrize("folder", [ROOT / "tests" / path.relative_to(ROOT) for path in FOLDERS], ids=name_of)
def test_the_tests_have_the_folders_of_the_packages(folder: Path) -> None:
    tested = {path.parent for path in folder.rglob("test_*.py")}
    assert {path.relative_to(ROOT / "tests") for path in tested} <= {path.relative_to(ROOT) for path in FOLDERS}


@pytest.mark.parametrize("path", modules_of("embed"), ids=name_of)
def test_embed_knows_nothing_of_classify(path: Path) -> None:
    assert "classify" not in {name.split(".")[0] for name in imports_of(path)}


@pytest.mark.parametrize("path", modules_of("classify"), ids=name_of)
def test_classify_sees_of_embed_the_store_alone_but_where_it_opens_videos(path: Path) -> None:
    seen = {name for name in imports_of(path) if name.split(".")[0] == "embed"}
    allowed = MORE_THAN_THE_STORE.get(wing_of(path)) or MORE_THAN_THE_STORE.get(name_of(path), set())
    assert seen <= STORE | allowed


@every_module
def test_click_lives_in_the_command_lines(path: Path) -> None:
    uses_click = "click" in {name.split(".")[0] for name in imports_of(path)}
    assert not uses_click or house_of(name_of(path)) in {"cli", "__main__"}


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
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@every_file
def test_names_of_files_say_something(path: Path) -> None:
    assert not NAMES_OF_NOTHING & set(path.stem.split("_"))
