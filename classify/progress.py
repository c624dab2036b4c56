"""The progress bar of a command."""

from typing import Any, Self, final


@final
class CountBar:
    """A progress bar on stderr with count, rate and time left; it shows on a terminal only.

    Args:
        unit: the noun that is counted, in the singular.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def show(self, done: int, total: int, text: str = "") -> None:
        """Show how much is done, of how much, and a few words."""
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(total=total, unit=self._unit, disable=None, dynamic_ncols=True)
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(done - self._bar.n)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
