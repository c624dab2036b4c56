"""What `split-videos` and `describe-dataset` say of themselves, and which command they name next."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result


def next_line(result: Result) -> str:
    assert result.exit_code == 0, result.output
    *_, title, line = result.stderr.splitlines()
    assert title == "Next:"
    return line


@pytest.fixture
def labels(toy_store: Path) -> Path:
    """A label file of the toy store whose name a shell would take apart."""
    ids = [f"{name}/{number:02d}.mp4" for name in ("hug", "kick", "wave") for number in range(20)]
    path = toy_store.with_name("my labels.csv")
    path.write_text("id,label,group\n" + "".join(f"{i},{i.split('/')[0]},{n // 2}\n" for n, i in enumerate(ids)))
    return path


@pytest.mark.usefixtures("toy_store")
def test_a_split_is_followed_by_the_command_that_trains_on_it(run: Callable[..., Result]) -> None:
    result = run("split_videos", "embeddings.h5")

    assert next_line(result) == "train-head embeddings.h5 --split split.csv"


@pytest.mark.usefixtures("labels")
def test_the_next_command_takes_the_labels_from_the_split_file(run: Callable[..., Result]) -> None:
    options = ("--labels", "my labels.csv", "--min-count", 2, "--group-by", "group", "-o", "my split.csv")

    line = next_line(run("split_videos", "embeddings.h5", *options))

    assert line == "train-head embeddings.h5 --split 'my split.csv'"
    trained = run("train_head", *shlex.split(line)[1:], "--epochs", 1, "--json")
    assert json.loads(trained.stdout)["parts"]["test"]["classes"][0]["name"] == "hug"


@pytest.mark.usefixtures("toy_store")
def test_folds_are_followed_by_a_loop_over_their_files(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("split_videos", "embeddings.h5", "--folds", 3, "-o", "my split.csv")

    loop = "for n in 1 2 3; do train-head embeddings.h5 --split 'my split-'$n.csv -o head-$n; done"
    assert next_line(result) == loop
    assert all((tmp_path / f"my split-{number}.csv").exists() for number in (1, 2, 3))


@pytest.mark.usefixtures("labels")
def test_a_description_is_followed_by_a_split_and_one_of_a_split_by_training(run: Callable[..., Result]) -> None:
    named = ("--labels", "my labels.csv")

    unsplit = next_line(run("describe_dataset", "embeddings.h5", *named))
    assert run("split_videos", *shlex.split(unsplit)[1:]).exit_code == 0
    split = next_line(run("describe_dataset", "embeddings.h5", *named, "--split", "split.csv"))

    assert unsplit == "split-videos embeddings.h5 --labels 'my labels.csv'"
    assert split == "train-head embeddings.h5 --labels 'my labels.csv' --split split.csv"


@pytest.mark.parametrize("command", ["describe_dataset", "split_videos"])
def test_programs_get_json_and_no_command(run: Callable[..., Result], toy_store: Path, command: str) -> None:
    result = run(command, toy_store, "--json")

    assert json.loads(result.stdout)["notes"] == []
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ("describe_dataset", ["--labels", "--split", "-o"]),
        ("split_videos", ["--labels", "--group-by", "--test-size", "--validation-size", "-o"]),
    ],
)
def test_help_shows_first_what_everybody_sets_and_says_what_each_value_is(
    run: Callable[..., Result], command: str, first: list[str]
) -> None:
    lines = run(command, "--help").stdout.splitlines()

    options = lines[lines.index("Options:") + 1 :]
    everybody = [line.split()[0].rstrip(",") for line in options[: options.index("")] if line.startswith("  -")]
    assert everybody == first
    assert max(map(len, lines)) <= 80
    assert not {"TEXT", "PATH", "INTEGER", "FLOAT"} & {word for line in lines for word in line.split()}
