"""Versions of a head, of which one is the champion: the one in use.

In: heads, and what champion and challenger answered on the same held-out videos.
Out: a folder of versions, each with its lineage, and the decision which one is used.
Read first: `versions.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
