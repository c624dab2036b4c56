"""`framehead`: all commands behind one name, in the order in which they are used."""

import click

from embed.cli import CommandGroup

COMMANDS = {
    "learn": ("classify.cli", "Do it all: from a folder of class folders to a head."),
    "embed-videos": ("embed.cli", "Embed videos once: vectors of their frames, in a store."),
    "inspect-embeddings": ("embed.cli", "Show what is in a store; verify, merge or repair it."),
    "fit-pca": ("embed.cli", "Fit a PCA to the vectors of a store, to make them shorter."),
    "reduce-store": ("embed.cli", "Make a smaller store: shorter vectors, or one byte each."),
    "join-stores": ("embed.cli", "Put vectors of several encoders side by side."),
    "find-duplicates": ("embed.cli", "Find videos that a store has more than once."),
    "import-yt8m": ("embed.cli", "Import YouTube-8M's TFRecords into a store."),
    "export-yt8m": ("embed.cli", "Write a store as TFRecords of YouTube-8M."),
    "describe-dataset": ("classify.cli", "Show labels, durations and resolutions of the videos."),
    "split-videos": ("classify.cli", "Split the videos into train, validation and test."),
    "train-head": ("classify.cli", "Train a head in seconds, and measure it."),
    "compare-heads": ("classify.cli", "Compare heads, and tell differences from noise."),
    "evaluate-head": ("classify.cli", "Measure a trained head on another labelled set."),
    "predict-videos": ("classify.cli", "Label new videos with a trained head."),
    "serve-videos": ("classify.cli", "Show a collection as a page: tag, search, look, correct."),
    "refresh-head": ("classify.cli", "Embed what is new, train again, and keep the better head."),
    "search-videos": ("classify.cli", "Find videos and moments by words, pictures or videos."),
    "export-head": ("classify.cli", "Write a head as an ONNX model."),
}
"""Command -> the module that has it, and what it does."""

framehead = click.version_option(package_name="framehead", help="Show the version.")(
    CommandGroup(
        "framehead",
        COMMANDS,
        help="Embed videos once, train a classifier on them in seconds.\n\n"
        "Each command but learn is also a program: `framehead train-head` and `train-head` do the same.",
        epilog="`framehead COMMAND -h` explains a command. Guides: resources/docs/ in framehead's folder.",
    )
)
