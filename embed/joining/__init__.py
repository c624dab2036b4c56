"""Several encoders in one head: the vectors of two or more stores side by side, in a store of their own.

In: stores of the same videos.
Out: a store whose rows are those of the first, each with the nearest rows of the others behind it.
Read first: `stores.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
