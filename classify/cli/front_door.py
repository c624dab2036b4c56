"""`framehead`: all commands behind one name, in the order of their use."""

import click

from embed.cli import CommandGroup

COMMANDS = {
    "learn": ("classify.cli", "All of it at once, for a folder of class folders."),
    "embed-videos": ("embed.cli", "Embed videos once: vectors of their frames, into one store."),
    "inspect-embeddings": ("embed.cli", "Show what is in a store; verify, merge or repair it."),
    "describe-dataset": ("classify.cli", "Show what a labelled set consists of."),
    "split-videos": ("classify.cli", "Share the videos out: train, validation, test."),
    "train-head": ("classify.cli", "Train a head in seconds, and measure it."),
    "compare-heads": ("classify.cli", "Compare heads, and tell differences from noise."),
    "predict-videos": ("classify.cli", "Label new videos with a trained head."),
    "export-head": ("classify.cli", "Write a head as an ONNX model."),
}
"""Command -> the module that has it, and what it does."""

framehead = click.version_option(package_name="framehead", help="Show the version.")(
    CommandGroup(
        "framehead",
        COMMANDS,
        help="Embed videos once, train a classifier on them in seconds.\n\n"
        "Each command is also a program of its own: `framehead train-head` and `train-head` do the same.",
        epilog="`framehead COMMAND -h` explains a command. Guides: resources/docs/ in framehead's folder.",
    )
)
