"""Heads: from the vectors of a video to one logit a class. One file an architecture.

In: vectors (B, T, D) float32 and mask (B, T) bool, True where a vector is real.
Out: logits (B, C), by `torch.nn.Module`s that `build_head` makes by their architecture's name.
Read first: `contract.py`, which says what a head is; `linear.py`, the shortest head; `blocks/`, which heads share.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
