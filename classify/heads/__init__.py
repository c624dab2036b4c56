"""Heads turn the vectors of a video into one logit for each class. Each architecture has a file.

In: vectors (B, T, D) float32 and mask (B, T) bool, True where a vector is real.
Out: logits (B, C). `build_head` builds the `torch.nn.Module` of an architecture by its name.
Read first: `contract.py`, which says what a head is; `linear.py`, the shortest head; `blocks/`, which heads share.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
