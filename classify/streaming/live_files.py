"""An output that grows: the text of each result is in it as soon as its video is done."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, Self, final

from classify.errors import ClassifyError
from classify.streaming.formats import TextFormat
from classify.streaming.journal import Result


@final
class LiveFile:
    """Appends results to an output, which is written again from its journal first: a kill may have torn it.

    Args:
        path: the output.
        form: how results become text.
        rewrite: writes all results so far, this run's and those of the run before, as a whole.
    """

    def __init__(self, path: Path, form: TextFormat, rewrite: Callable[[], None]) -> None:
        self._path, self._form, self._rewrite = path, form, rewrite
        self._file: IO[bytes] | None = None

    def begin(self) -> bool:
        """Write what there is so far, and return True; return False if that is done. An older file is replaced."""
        if self._file is not None:
            return False
        self._rewrite()
        self._file = self._path.open("ab", buffering=0)
        return True

    def append(self, result: Result) -> None:
        """Add a result that is in the journal.

        Raises:
            ClassifyError: the disk does not take it.
        """
        if self.begin():  # with this result
            return
        assert self._file is not None, "what has begun is open"
        text = self._form.encode(self._form.text_of(result))
        try:
            while text:
                text = text[self._file.write(text) :]
        except OSError as error:
            raise ClassifyError(
                f"{self._path} cannot be written: {error.strerror}. What is done is kept. Free disk space, and run the "
                "same command again."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
