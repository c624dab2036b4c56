"""Options that several commands share: labels, groups, and the settings of a training run."""

from collections.abc import Callable
from dataclasses import Field, fields
from functools import reduce
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from classify.training import GROUPS, RECIPES, TrainConfig
from embed.cli import LAST, option

if TYPE_CHECKING:
    from classify.data import LabelConfig

_Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def _join(*options: _Option) -> _Option:
    """Return one decorator that adds several options."""
    return lambda command: reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


_LABELS, _COPIES = "Labels", "Near duplicates"

LABEL_OPTIONS = ("labels", "min_count", "vocabulary", "path_column", "label_column", "multi_label", "label_folder")
"""Python names of `label_options`: what the next command must be given as well."""

column_options = _join(
    option(
        "--path-column",
        group=_LABELS,
        metavar="COLUMN",
        help="Column of the label file that names the videos.  [default: id, path, link, url or alike]",
    ),
    option(
        "--label-column",
        group=_LABELS,
        metavar="COLUMN",
        help="Column of the label file with the labels.  [default: label, labels or alike]",
    ),
    option(
        "--multi-label",
        group=_LABELS,
        is_flag=True,
        help="A video has the labels of all its rows; without it, rows of a video that differ are an error.",
    ),
    option(
        "--label-folder",
        group=_LABELS,
        metavar="WHICH",
        callback=lambda _, __, value: int(value) if value and value.isdecimal() else value,
        help="Folder that is the label: outermost, innermost, or 2 for the second from outside.  [default: innermost]",
    ),
)
_labels_option = option(
    "--labels", metavar="FILE", type=click.Path(), help="Label file: CSV or JSON lines.  [default: folders' names]"
)
labels_of_a_head = _join(_labels_option, column_options)
"""As `label_options`, without what a head knows itself: its labels and their order."""

label_options = _join(
    _labels_option,
    option(
        "--min-count",
        group=_LABELS,
        default=1,
        show_default=True,
        metavar="N",
        help="Drop labels that fewer videos have than this.",
    ),
    option(
        "--vocabulary",
        group=_LABELS,
        metavar="FILE",
        type=click.Path(),
        help="Labels that keep their order; new ones follow. A text file, or the folder of an earlier head.",
    ),
    column_options,
)
group_options = _join(
    option("--group-by", metavar="COLUMN", help="Column of the label file; videos of one group stay in one part."),
    option(
        "--group-near-duplicates", group=_COPIES, is_flag=True, help="Keep copies of a video (re-uploads) in one part."
    ),
    option(
        "--similarity",
        group=_COPIES,
        default=0.93,
        show_default=True,
        metavar="COSINE",
        help="Videos with at least this cosine similarity count as copies.",
    ),
)
overwrite_option = option(
    "--overwrite",
    group=LAST,
    is_flag=True,
    help="Replace the output also where an earlier run did not write it. An input is never replaced.",
)


def recipe_options(*, without: tuple[str, ...] = ()) -> _Option:
    """Add an option for each setting of TrainConfig except some, with its default and help, in the order of GROUPS.

    `--recipe` stands for several of them; `take_recipe` fills them in.
    """
    settings = [own for own in fields(TrainConfig) if own.metadata and own.name not in without]
    settings.sort(key=lambda setting: GROUPS.index(setting.metadata["group"]))
    named = option(
        "--recipe",
        group="Steps",
        type=click.Choice([*RECIPES]),
        help="Settings that belong together; options beside it win. clip-mixup: "
        + ", ".join(f"{_typed(name)} {value}" for name, value in RECIPES["clip-mixup"].items() if name not in without)
        + ". last-block, which --arch last-block implies, and last-block-adamw: those of fine-tuned video models.",
    )
    return _join(named, *map(_recipe_option, settings))


def take_recipe(options: dict[str, Any]) -> dict[str, Any]:
    """Remove the values of `recipe_options` from a command's options, and return them as arguments of TrainConfig."""
    own = {setting.name: options.pop(setting.name) for setting in fields(TrainConfig) if setting.name in options}
    source = click.get_current_context().get_parameter_source
    recipe = options.pop("recipe") or str(own.get("arch"))  # last-block is a head and a recipe
    for name, value in RECIPES.get(recipe, {}).items():
        if name in own and source(name) is ParameterSource.DEFAULT:
            own[name] = value
    return own


def _typed(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _recipe_option(setting: Field[Any]) -> _Option:
    kind, choices = setting.metadata.get("kind", type(setting.default)), setting.metadata.get("choices")
    name = setting.name.replace("_", "-")
    return option(
        f"--{name}/--no-{name}" if kind is bool and setting.default is not False else f"--{name}",
        is_flag=kind is bool,
        group=setting.metadata["group"],
        default=setting.default,
        metavar=setting.metadata.get("metavar"),
        type=click.Choice(choices) if choices else kind,
        show_default=setting.default is not None,
        help=setting.metadata["help"],
    )


def list_option(kind: Callable[[str], Any], *names: str, default: str, metavar: str, text: str) -> _Option:
    """Add an option that takes several values with commas between them."""

    def parse(_: click.Context, parameter: click.Parameter, value: str) -> tuple[Any, ...]:
        try:
            return tuple(kind(part.strip()) for part in value.split(",") if part.strip())
        except ValueError as error:
            raise click.BadParameter(f"{value!r} is not a list of numbers such as 0,0.4.", param=parameter) from error

    return option(*names, default=default, show_default=True, metavar=metavar, callback=parse, help=text)


def take_labels(options: dict[str, Any]) -> "LabelConfig":
    """Return the values of `label_options`, and remove them from a command's options."""
    from classify.data import LabelConfig

    values = {name: options.pop(name) for name in LABEL_OPTIONS if name in options}
    return LabelConfig(values.pop("labels"), **values)


def take_grouping(options: dict[str, Any]) -> dict[str, Any]:
    """Return the values of `group_options` under the names of `SplitConfig`, and remove them from the options."""
    group_by, similarity = options.pop("group_by"), options.pop("similarity")
    if options.pop("group_near_duplicates"):
        return {"group_by": group_by, "near_duplicates": similarity}
    refuse_idle("similarity", "without --group-near-duplicates. Give both, or neither")
    return {"group_by": group_by}


def refuse_idle(name: str, reason: str) -> None:
    """Refuse an option that was given but has no effect; its default is accepted."""
    if click.get_current_context().get_parameter_source(name) is not ParameterSource.DEFAULT:
        raise click.UsageError(f"--{name.replace('_', '-')} has no effect {reason}.")
