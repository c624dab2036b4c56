"""Encoders: pixels -> vectors. Each family of models has one file, and loads its heavy libraries itself.

In: the name of a model, and frames as rgb uint8 (B, W, side_px, side_px, 3).
Out: an `Encoder`, whose vectors are (B, D) float32, and its `EncoderIdentity`, which is stored beside them.
Read first: `contract.py`, what an encoder is; then `loading.py`, which finds one by its name. `testing.py` has the
tests that every encoder must pass, also those of other packages.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
