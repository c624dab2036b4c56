"""Find moments of stored videos by what they show: by words, by a picture, by another video, and near copies.

In: a store, and terms that are added and subtracted.
Out: hits, the best first, each a span of a video: neighbouring rows that look alike are one hit.
Read first: `searching.py`, then `scoring.py`, which reads the store once from end to end.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
