"""Parts that several heads share: pooling, positions, dropout, masked norms.

In: vectors (B, T, D) and mask (B, T), True where a vector is real.
Out: functions and `torch.nn` modules whose results do not depend on rows where the mask is False.
Read first: `pooling.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
