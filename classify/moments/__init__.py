"""Which moments of a video speak for each label.

In: a trained head, and the vectors of one video with their moments.
Out: `Evidence`, the probability of each label at each moment; `Moment`s, the spans where a label is seen.
Read first: `evidence.py`, which has the three ways to find it; then `spans.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
