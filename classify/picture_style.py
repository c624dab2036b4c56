"""What all pictures have in common; matplotlib loads when they are drawn."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def picture_style() -> Iterator[None]:
    """Draw in one style, with every text as it is written: the `$` of a label opens no formula."""
    import matplotlib

    with matplotlib.rc_context(
        {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "text.parse_math": False}
    ):
        yield
