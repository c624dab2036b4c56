"""What all commands have in common: grouped help, library errors as messages, colours, and a text for Ctrl-C.

Results go to stdout, progress and warnings to stderr. Exit codes: 0 done, 1 some videos failed, 2 wrong usage or
nothing could be done, 130 stopped by Ctrl-C. Colours show on a terminal only, and not where NO_COLOR is set.
"""

import io
import os
import re
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar, final

import click

EVERYBODY = "Options"
"""The group of the options that everybody sets; it stands first."""
LAST = "Other"
"""The group of --json, --version and --help; it stands last."""

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


class GroupedOption(click.Option):
    """An option that stands in a group of its command's help."""

    def __init__(self, *args: Any, group: str = EVERYBODY, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.group = group


def option(*names: str, group: str = EVERYBODY, **settings: Any) -> Callable[[_Decorated], _Decorated]:
    """Give a command an option, in a group of its help."""
    return click.option(*names, cls=GroupedOption, group=group, **settings)


def output_options(command: _Decorated) -> _Decorated:
    """Give a command --json and --version."""
    as_json = option("--json", "as_json", group=LAST, is_flag=True, help="Print one JSON object.")
    return as_json(click.version_option(package_name="framehead", help="Show the version.")(command))


class Command(click.Command):
    """A command whose library errors are messages, not tracebacks."""

    when_stopped = "What is done is stored: the same command goes on from here."

    def __init__(self, *args: Any, guide: str = "", **settings: Any) -> None:
        settings["context_settings"] = {
            "help_option_names": ["-h", "--help"],
            **(settings.get("context_settings") or {}),
        }
        if guide:
            settings.setdefault("epilog", f"Guide: resources/docs/{guide} in framehead's folder.")
        super().__init__(*args, **settings)

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        """Make a context that shows no colours where NO_COLOR is set (https://no-color.org)."""
        if os.environ.get("NO_COLOR"):
            settings.setdefault("color", False)
        return super().make_context(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exit 2 with the message of a library error, 130 after Ctrl-C."""
        if isinstance(sys.stdout, io.TextIOWrapper):  # a file name that is no UTF-8 is shown by its bytes, \udce9
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except library_errors() as error:
            show_error(as_typed(str(error), self))
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo(f"\nStopped. {self.when_stopped}", err=True)
            sys.stdout.flush()
            os._exit(130)  # an encoder may be busy in its thread for seconds more: nobody waits for it

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by group: first what everybody sets, last what every command has."""
        sections: dict[str, list[tuple[str, str]]] = {EVERYBODY: []}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if row is not None:
                sections.setdefault(getattr(parameter, "group", LAST), []).append(row)
        sections[LAST] = sections.pop(LAST)
        for group, rows in sections.items():
            if rows:
                with formatter.section(click.style(group, bold=True)):
                    formatter.write_dl(rows)


@final
class CommandGroup(click.Group):
    """Commands in the order of their use. Each loads when it is asked for.

    Args:
        homes: command -> the module that has it, and what it does in a few words.
    """

    def __init__(self, name: str, homes: dict[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(name, context_settings={"help_option_names": ["-h", "--help"]}, **settings)
        self._homes = homes

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's own signature)
        """Return the commands' names in the order of their use."""
        return [*self._homes]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Load a command."""
        if name not in self._homes:
            return None
        found: click.Command = getattr(import_module(self._homes[name][0]), name.replace("-", "_"))
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write what each command does, without loading it."""
        with formatter.section(click.style("Commands, in the order of their use", bold=True)):
            formatter.write_dl([(name, text) for name, (_, text) in self._homes.items()])


def library_errors() -> tuple[type[Exception], ...]:
    """Return the errors whose text is a message to the user: those of the packages that are loaded."""
    from embed.errors import EmbedError

    classify = sys.modules.get("classify.errors")
    return (EmbedError, classify.ClassifyError) if classify else (EmbedError,)


def as_typed(message: str, command: click.Command) -> str:
    """Name a command's options in a message as they are typed: --min-count, and not min_count as in Python."""
    for parameter in command.params:
        name = parameter.name or ""
        if isinstance(parameter, click.Option) and name:
            typed = max(parameter.opts, key=len)
            # A name of one word may be any word: it is an option's only where its value is told.
            pattern = (
                rf"(?<![\w-]){name}(?![\w-])"
                if "_" in name
                else rf"(?<![\w-])(?:[Tt]he )?{name}(?= is (?:-?\d|'|nan|inf))"
            )
            message = re.sub(pattern, typed, message)
    return message


def show_error(message: str) -> None:
    """Write an error to stderr."""
    click.echo(f"{click.style('Error:', fg='red', bold=True)} {message}", err=True)


def show_notes(notes: tuple[str, ...]) -> None:
    """Write notes to stderr: what is no error, and should be known."""
    for note in notes:
        click.echo(f"{click.style('Note:', fg='yellow', bold=True)} {note}", err=True)


def show_next(line: str) -> None:
    """Write the command that comes next to stderr, on a line of its own, to be pasted."""
    click.echo(f"\n{click.style('Next:', bold=True)}\n{line}", err=True)
