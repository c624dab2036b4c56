"""`python -m embed`: the commands of `embed`, as subcommands."""

import click

from embed.cli import CommandGroup

COMMANDS = {
    "embed-videos": ("embed.cli", "Embed videos once, into one store."),
    "inspect-embeddings": ("embed.cli", "Show what is in a store; verify, merge or repair it."),
}

if __name__ == "__main__":
    group = CommandGroup("embed", COMMANDS, help="Videos -> vectors, once.")
    click.version_option(package_name="framehead", help="Show the version.")(group).main(prog_name="python -m embed")
