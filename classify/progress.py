"""What a command shows while it works."""

from typing import Any, Self, final


@final
class CountBar:
    """A bar on stderr with what is done, rate and time left; shown on a terminal only.

    Args:
        unit: what is counted, in the singular.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def show(self, done: int, total: int, text: str = "") -> None:
        """Say how much is done of how much, and a few words on it."""
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(total=total, unit=self._unit, disable=None, dynamic_ncols=True)
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(done - self._bar.n)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
