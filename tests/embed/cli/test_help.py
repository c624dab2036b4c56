"""What `--help` shows: first what everybody sets, then groups, last what every command has."""

import click
import pytest
from click.testing import CliRunner

from embed.cli import embed_videos, export_yt8m, import_yt8m, inspect_embeddings

every_command = pytest.mark.parametrize(
    "command", [embed_videos, inspect_embeddings, import_yt8m, export_yt8m], ids=lambda command: command.name
)


def help_of(command: click.Command) -> str:
    return CliRunner().invoke(command, ["--help"], terminal_width=80).stdout


@every_command
def test_help_fits_80_columns_and_ends_with_the_guide(command: click.Command) -> None:
    lines = help_of(command).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith("  Guide: resources/docs/")


@every_command
def test_every_option_has_a_text_and_says_what_its_value_is(command: click.Command) -> None:
    context = click.Context(command)
    options = [parameter for parameter in command.get_params(context) if isinstance(parameter, click.Option)]
    assert not [option.name for option in options if not option.help]
    metavars = {option.make_metavar(context) for option in options if not option.is_flag}
    assert not metavars & {"TEXT", "PATH", "INTEGER", "FLOAT", "INTEGER RANGE", "FLOAT RANGE"}


def test_the_options_of_embed_videos_stand_in_groups() -> None:
    headings = [line[:-1] for line in help_of(embed_videos).splitlines() if line.endswith(":") and line[0] != " "]
    machine = ["Encoder", "Size of the store", "Decoding", "Limits and log"]
    assert headings == ["Options", "Frames", "Clips", *machine, "Other"]


def test_what_everybody_sets_stands_first() -> None:
    first = help_of(embed_videos).split("\nFrames:")[0].split("\nOptions:")[1]
    named = [line.split()[0] for line in first.splitlines() if line.startswith("  -")]
    often = ["-o,", "--model", "--pretrained", "--sampling", "--frames-count", "--retry-failed"]
    assert named == [*often, "--prune", "--prune-anyway"]
