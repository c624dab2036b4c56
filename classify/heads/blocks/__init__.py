"""What several heads are built of: pooling, positions, dropout, norms that know of a mask.

In: vectors (B, T, D) and mask (B, T), True where a vector is real.
Out: functions and `torch.nn` modules that change nothing where the mask is False.
Read first: `pooling.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
