"""Write resources/docs/reference/: pages for every command and every public name, from help texts and docstrings.

With --check it writes nothing, and exits with 1 if a page differs from the code.
"""

import argparse
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click

FOLDER = Path(__file__).parents[1] / "resources" / "docs" / "reference"
MODULES = {
    "embed": "Videos to vectors.",
    "embed.encoders.contract": "What an encoder is.",
    "embed.encoders.testing": "The contract tests of encoders, for the tests of your own.",
    "classify": "Vectors and labels to a classifier.",
    "classify.heads.contract": "What a head is.",
    "classify.heads.testing": "The contract tests of heads, for the tests of your own.",
}
WIDTH = 80
MADE = "<!-- Made by scripts/make_reference.py from the code: change the docstring or the help text, and run it. -->"


def pages() -> dict[str, str]:
    """Return file name -> text of every page."""
    from classify.cli import framehead

    context = click.Context(framehead, info_name="framehead")
    names = framehead.list_commands(context)
    commands = {name: framehead.get_command(context, name) for name in names}
    found = {f"{name}.md": command_page(name, command) for name, command in commands.items() if command is not None}
    found["framehead.md"] = command_page("framehead", framehead)
    found |= {f"{name.replace('.', '-')}.md": module_page(name) for name in MODULES}
    found["README.md"] = index_page(["framehead", *names])
    return found


def index_page(commands: list[str]) -> str:
    """Return the page that lists all others."""
    lines = ["# Reference", "", MADE, "", "Commands, in the order of their use:", ""]
    lines += [f"- [`{program_of(name)}`]({name}.md)" for name in commands]
    lines += ["", "Python:", ""]
    lines += [f"- [`{name}`]({name.replace('.', '-')}.md): {text}" for name, text in MODULES.items()]
    return "\n".join([*lines, ""])


def program_of(name: str) -> str:
    """Return a command as it is typed."""
    return f"framehead {name}" if name == "learn" else name


def command_page(name: str, command: click.Command) -> str:
    """Return a page with a command's help, as it prints it at 80 columns."""
    context = command.make_context(program_of(name), ["--help"], resilient_parsing=True, terminal_width=WIDTH)
    text = click.unstyle(command.get_help(context))
    return f"# `{program_of(name)}`\n\n{MADE}\n\n```text\n{text}\n```\n"


def module_page(name: str) -> str:
    """Return a module's public names with their signatures and docstrings."""
    module = import_module(name)
    public = getattr(module, "__all__", None) or own_names(module)
    described = [text for entry in sorted(public, key=str.lower) for text in entry_of(entry, getattr(module, entry))]
    text = "\n".join([f"# `{name}`", "", MADE, "", *prose(inspect.getdoc(module) or ""), *described])
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def own_names(module: object) -> list[str]:
    """Return the public functions and classes that a module defines itself."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == getattr(module, "__name__", None)
    ]


def entry_of(name: str, value: Any) -> Iterator[str]:
    """Yield the lines on a public name, and on a class's public methods."""
    yield from ("", f"## `{name}`", "")
    if callable(value):
        yield from signature(name, value)
    yield from prose(inspect.getdoc(value) or "")
    if inspect.isclass(value):
        for method, function in vars(value).items():
            if not method.startswith("_") and (lines := method_lines(f"{name}.{method}", function)):
                yield from lines


def method_lines(name: str, member: Any) -> list[str]:
    """Return the lines on a method or property that has a docstring of its own; none for others."""
    function: Any = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
    text = inspect.getdoc(function) if callable(function) and getattr(function, "__doc__", None) else ""
    if not text:
        return []
    shown = [] if isinstance(member, property) else list(signature(name.rsplit(".", 1)[1], function))
    return ["", f"### `{name}`", "", *shown, *prose(text)]


def signature(name: str, value: Callable[..., object]) -> Iterator[str]:
    """Yield a call as a code block, with one argument per line if it is long."""
    try:
        call = inspect.signature(value)
    except ValueError:  # an exception class, whose signature is C's
        return
    if inspect.isclass(value) and issubclass(value, BaseException):
        return
    arguments = [re.sub(r"(?<![\w'\"])(?:[a-z_]\w*\.)+(?=[A-Za-z_]\w*)", "", str(p)) for p in call.parameters.values()]
    # A default that is an object has no text that stays the same.
    arguments = [re.sub(r"= <.*>$", "= ...", text) for text in arguments if text not in ("self", "cls")]
    keyword_only = [p.name for p in call.parameters.values() if p.kind is p.KEYWORD_ONLY]
    if keyword_only:
        first = next(place for place, argument in enumerate(arguments) if re.match(rf"{keyword_only[0]}\b", argument))
        arguments.insert(first, "*")
    line = f"{name}({', '.join(arguments)})"
    if len(line) > 100:
        line = f"{name}(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"
    yield from ("```python", *line.split("\n"), "```", "")


def prose(docstring: str) -> Iterator[str]:
    """Yield a docstring as Markdown: its sections as bold words, their entries as lists, indented code as blocks."""
    for paragraph in re.split(r"\n\n+", docstring.strip()):
        head, *rest = paragraph.split("\n")
        if re.fullmatch(r"(Args|Returns|Raises|Yields|Attributes):", head):
            yield from (f"**{head[:-1]}**", "", *entries(textwrap.dedent("\n".join(rest))), "")
        elif paragraph.startswith(("    ", ">>> ")):
            yield from ("```python", *textwrap.dedent(paragraph).split("\n"), "```", "")
        else:
            yield from (*paragraph.split("\n"), "")


def entries(text: str) -> Iterator[str]:
    """Yield the entries of a section as a list, each on one line."""
    for entry in re.split(r"\n(?! )", text):
        joined = " ".join(line.strip() for line in entry.split("\n"))
        name, colon, what = joined.partition(": ")
        yield f"- `{name}`: {what}" if colon and re.fullmatch(r"[\w, *]+", name) else f"- {joined}"


def main() -> None:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page is out of date")
    is_checking = parser.parse_args().check
    wanted, present = pages(), {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    stale = sorted(name for name in wanted.keys() | present if wanted.get(name) != present.get(name))
    if is_checking:
        sys.exit(f"Out of date: {', '.join(stale)}. Run: python scripts/make_reference.py" if stale else 0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
    print(f"{len(wanted)} pages, {len(stale)} of them changed: {FOLDER}")


if __name__ == "__main__":
    main()
