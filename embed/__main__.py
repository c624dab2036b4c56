"""`python -m embed`: the commands of `embed`, as subcommands."""

import click

from embed.cli import CommandGroup

COMMANDS = {
    "embed-videos": ("embed.cli", "Embed videos once: vectors of their frames, into one store."),
    "inspect-embeddings": ("embed.cli", "Show what is in a store; verify, merge or repair it."),
    "fit-pca": ("embed.cli", "Fit a PCA to the vectors of a store, to make them shorter."),
    "reduce-store": ("embed.cli", "Make a smaller store: shorter vectors, or one byte each."),
    "join-stores": ("embed.cli", "Put vectors of several encoders side by side."),
    "import-yt8m": ("embed.cli", "Import YouTube-8M's TFRecords into a store."),
    "export-yt8m": ("embed.cli", "Write a store as TFRecords of YouTube-8M."),
}

if __name__ == "__main__":
    group = CommandGroup("embed", COMMANDS, help="Embed videos once, into one store.")
    click.version_option(package_name="framehead", help="Show the version.")(group).main(prog_name="python -m embed")
