"""The parts that all commands share: grouped help, library errors as messages, colours, and an answer to Ctrl-C.

Results go to stdout, progress and warnings to stderr. Exit codes: 0 done, 1 some videos failed, 2 wrong usage or
nothing could be done, 130 stopped by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP. Colours show on a terminal, or where
FORCE_COLOR is set, and not where NO_COLOR is. What people read goes through `echo` or `show_error`, which write control
characters out.
"""

import io
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from importlib import import_module
from typing import Any, TypeVar, final

import click

from embed.cli.stopping import exit_code_of, stopped_before_work, stopped_by_signals, without_wandb
from embed.cli.streams import usable_streams

EVERYBODY = "Options"
"""The group of the options that everybody sets; it stands first."""
LAST = "Other"
"""The group of --json, --version and --help; it stands last."""
STEP = "step"
"""The `obj` of a command's context, if another command runs it as one of its steps."""

GOES_ON = "Finished work is stored. Run the same command again to continue."
"""What a command that keeps its finished work says when it is stopped."""

_NAME_COLUMNS = 26
"""Width of an option and its metavar in a help page. The text of a longer one begins on the next line."""
_TYPED = "framehead.typed"
_BEFORE, _AFTER = r"(?<![\w\-/.'\"])", r"(?![\w\-/'\"]|\.\w)"
"""Around a name that means a setting, and is no part of a path or a quotation."""
_VALUE = r"(?= (?:must be|is (?:-?\d|'|nan|inf)))"
"""Follows a name of one word if it means an option, and is not just any word."""
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


class GroupedOption(click.Option):
    """An option that stands in a group of its command's help.

    Args:
        group: the group's heading.
        setting: the Python name of what the option sets, if it differs from the option's name.
    """

    def __init__(self, *args: Any, group: str = EVERYBODY, setting: str | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.group, self.setting = group, setting

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Return what click shows behind the help text, without a range: the message of a wrong value names it."""
        return {key: value for key, value in super().get_help_extra(ctx).items() if key != "range"}


class FiniteRange(click.FloatRange):
    """A range of floats without `inf` and `nan`, which click accepts where a range has no upper end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def option(*names: str, group: str = EVERYBODY, **settings: Any) -> Callable[[_Decorated], _Decorated]:
    """Add an option to a command, in a group of its help. Settings are those of `GroupedOption`."""
    return click.option(*names, cls=GroupedOption, group=group, **settings)


def output_options(command: _Decorated) -> _Decorated:
    """Add --json and --version to a command."""
    as_json = option("--json", "as_json", group=LAST, is_flag=True, help="Print one JSON object.")
    return as_json(click.version_option(package_name="framehead", help="Show the version.")(command))


class Command(click.Command):
    """A command whose library errors are messages, not tracebacks.

    Args:
        guide: the page about it.
        when_stopped: what it says when it is stopped.
        ends_at_once: stopped, it does not wait for its encoder, which may be busy in its thread for seconds; nor do
            other packages tidy up, as they do when Python ends.
        settings: those of `click.Command`.
    """

    def __init__(
        self,
        *args: Any,
        guide: str = "",
        when_stopped: str = "Each output is the old one or the whole new one. Run the same command again.",
        ends_at_once: bool = True,
        **settings: Any,
    ) -> None:
        self.when_stopped, self._ends_at_once = when_stopped, ends_at_once
        settings["context_settings"] = {
            "help_option_names": ["-h", "--help"],
            **(settings.get("context_settings") or {}),
        }
        if guide:
            settings.setdefault("epilog", f"Guide: resources/docs/{guide} in framehead's folder.")
        super().__init__(*args, **settings)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **settings: Any
    ) -> click.Context:
        """Make a context; NO_COLOR takes the colours away, and FORCE_COLOR keeps them where output is piped.

        Source: https://no-color.org, https://force-color.org.
        """
        if os.environ.get("NO_COLOR"):
            settings.setdefault("color", False)
        elif os.environ.get("FORCE_COLOR"):
            settings.setdefault("color", True)
        typed = [*args]
        try:
            if odd := next((word for word in typed if "\0" in word), None):  # possible from Python only
                raise click.UsageError(f"{odd!r} has a NUL in it, which no name has. Type it again.")
            return super().make_context(info_name, args, parent, **settings)
        except click.UsageError as error:  # its text quotes what was typed
            said = error.format_message()
            if cleaned(said, typed) != said:
                raise click.UsageError(cleaned(said, typed), error.ctx) from None
            raise

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what was typed, and keep it for `typed_again`."""
        ctx.meta[_TYPED] = [*args]  # click takes them out of the list
        return super().parse_args(ctx, args)

    def main(self, *args: Any, **settings: Any) -> Any:
        """Read what was typed, and run the command."""
        with usable_streams(), stopped_before_work():
            return super().main(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Exit with 2 and the message of a library error, or with 130 after Ctrl-C."""
        if isinstance(sys.stdout, io.TextIOWrapper):  # a file name that is not UTF-8 shows its bytes, as in \udce9
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            with stopped_by_signals(), without_wandb() if self._ends_at_once else nullcontext():
                return super().invoke(ctx)
        except click.UsageError as error:
            message = cleaned(as_typed(error.format_message(), self), ctx.meta[_TYPED])
            raise click.UsageError(message, error.ctx or ctx) from error
        except library_errors() as error:
            show_error(cleaned(as_typed(str(error), self), ctx.meta[_TYPED]))
            ctx.exit(2)
        except KeyboardInterrupt as stop:
            click.echo(f"\nStopped. {self.when_stopped}", err=True)
            sys.stdout.flush()
            if self._ends_at_once or ctx.obj == STEP:
                os._exit(exit_code_of(stop))
            ctx.exit(exit_code_of(stop))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by group: first what everybody sets, last what every command has."""
        sections: dict[str, list[tuple[str, str]]] = {EVERYBODY: []}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if row is not None:
                sections.setdefault(getattr(parameter, "group", LAST), []).append(row)
        sections[LAST] = sections.pop(LAST)
        names = [name for rows in sections.values() for name, _ in rows if len(name) <= _NAME_COLUMNS]
        width = max(map(len, names), default=0)  # the same in all groups, so that all texts begin in one column
        for group, rows in sections.items():
            if rows:
                with formatter.section(click.style(group, bold=True)):
                    formatter.write_dl([(name.ljust(width), text) for name, text in rows], col_max=_NAME_COLUMNS)


@final
class CommandGroup(click.Group):
    """Commands in the order of their use. Each is loaded when it is asked for.

    Args:
        name: what the group is called.
        homes: command -> the module that has it, and what it does in a few words.
        settings: those of `click.Group`.
    """

    def __init__(self, name: str, homes: dict[str, tuple[str, str]], **settings: Any) -> None:
        settings = {"context_settings": {"help_option_names": ["-h", "--help"]}, **settings}
        super().__init__(name, callback=self._list, invoke_without_command=True, **settings)
        self._homes = homes

    def main(self, *args: Any, **settings: Any) -> Any:
        """Read what was typed, and run the command that it names."""
        with usable_streams(), stopped_before_work():
            return super().main(*args, **settings)

    @staticmethod
    def _list() -> None:
        """Print the help if no command is named. That is no mistake: it lists the commands."""
        context = click.get_current_context()
        if context.invoked_subcommand is None:
            click.echo(context.get_help())

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's own signature)
        """Return the commands' names in the order of their use."""
        return [*self._homes]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Load a command."""
        if name not in self._homes:
            return None
        found: click.Command = getattr(import_module(self._homes[name][0]), name.replace("-", "_"))
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], self._homes, 1) if args else []
            advice = f" Perhaps you mean {near[0]}." if near else ""
            raise click.UsageError(f"{cleaned(error.format_message(), args)}{advice}", error.ctx) from None

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
    """Return a message with a command's options as they are typed: --min-count for min_count and `min_count`."""
    for name, typed in _python_names(command):
        message = message.replace(f"`{name}`", typed)
        # A name of one word may be any word: it means an option only if its value follows.
        free = rf"{_BEFORE}{name}{_AFTER}"
        pattern = free if "_" in name else rf"{_BEFORE}(?:[Tt]he )?{name}{_VALUE}"
        message = re.sub(pattern, typed, message)
    return message


def _python_names(command: click.Command) -> Iterator[tuple[str, str]]:
    """Yield what Python calls each option's value, and the option as it is typed."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            typed = max(parameter.opts, key=len)
            for name in {parameter.name, getattr(parameter, "setting", None)} - {None, ""}:
                yield str(name), typed


def typed_again(*more: str) -> str:
    """Return the command that is running, as a line to paste, with more options in front of its own arguments.

    Links lose what may be secret, since the line may end in a log.
    """
    context = click.get_current_context()
    typed = context.meta[_TYPED]
    return f"{context.command_path} {as_line([*(word for word in more if word not in typed), *typed])}"


def was_typed(context: click.Context, option: str) -> bool:
    """Return True if an option was typed, also one behind the option that is handled now."""
    return option in context.meta[_TYPED]


def as_line(words: Sequence[str]) -> str:
    """Return words as a line of a shell that may be shown: links without secrets, control characters written out."""
    from embed.machine import shell_word
    from embed.sources import without_secrets

    return " ".join(shell_word(without_secrets(word)) for word in words)


def echo(text: str, *, err: bool = False) -> None:
    """Print a text for people to stdout or stderr, with control characters written out except the ends of lines."""
    from embed.machine import shown

    click.echo(shown(text, keeps_lines=True), err=err)


def cleaned(message: str, typed: Sequence[str]) -> str:
    """Return a message without the secrets of links, and without control characters that were typed."""
    from embed.machine import shown
    from embed.sources import without_addresses, without_secrets

    values = {*typed, *(word.partition("=")[2] for word in typed if word.startswith("--"))}
    for word in sorted(values, key=len, reverse=True):
        safe = shown(without_secrets(word))
        if safe != word:
            message = message.replace(word, safe).replace(repr(word)[1:-1], safe)
    return without_addresses(message)


def show_error(message: str) -> None:
    """Write an error to stderr."""
    _show("Error:", message, colour="red")


def show_notes(notes: tuple[str, ...]) -> None:
    """Write notes to stderr: what is not an error, and worth knowing."""
    for note in notes:
        _show("Note:", note, colour="yellow")


def _show(label: str, message: str, *, colour: str) -> None:
    """Write a message to stderr. On a terminal its lines end between words; elsewhere they stay whole, for programs."""
    from embed.machine import shown
    from embed.run import wrapped

    text = f"{label} {shown(message)}"
    text = wrapped(text, hanging=0) if sys.stderr.isatty() else text
    click.echo(f"{click.style(label, fg=colour, bold=True)}{text.removeprefix(label)}", err=True)


def show_next(line: str) -> None:
    """Write the command that comes next to stderr, on a line of its own, to be pasted.

    A step of another command (its context's `obj` is `STEP`) writes nothing: that command runs what comes next.
    """
    context = click.get_current_context(silent=True)
    if context is None or context.obj != STEP:
        show_command("Next:", line)


def show_command(what: str, line: str) -> None:
    """Write a command to stderr on a line of its own, to be pasted, below what it is for."""
    click.echo(f"\n{click.style(what, bold=True)}\n{line}", err=True)
