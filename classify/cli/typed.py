"""Commands as one types them, for the lines that are printed to be pasted."""

import click
from click.core import ParameterSource


def given_options(*names: str) -> list[str]:
    """Return options of the current command as they were typed; those that were not typed are left out.

    Args:
        names: Python names of the options, such as `min_count`.
    """
    context = click.get_current_context()
    typed: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in names and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            value = context.params[name]
            spellings = parameter.secondary_opts if value is False else parameter.opts
            for one in value if isinstance(value, tuple) else (value,):
                typed += type_option(max(spellings, key=len), True if one is False else one)
    return typed


def type_option(name: str, value: object) -> list[str]:
    """Return one option as the words of a command.

    >>> type_option("--min-count", 5), type_option("--budget", 60.0), type_option("--by-folder", True)
    (['--min-count', '5'], ['--budget', '60'], ['--by-folder'])
    """
    if value is True:
        return [name]
    return [name, f"{value:g}" if isinstance(value, float) else str(value)]
