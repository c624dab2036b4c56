"""The commands of `classify`, and `framehead`, which lists all commands and runs them.

In: what was typed.
Out: click commands; each parses, calls the library function of its name, and prints.
Read first: `options.py`, which has what several commands share; then the command's file.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
