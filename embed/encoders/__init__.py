"""Encoders: pixels -> vectors. One file a family of models; heavy libraries load with the family that needs them.

In: a model's name, and frames as rgb uint8 (B, W, side_px, side_px, 3).
Out: `Encoder`, whose vectors are (B, D) float32, and its `EncoderIdentity`, which is stored beside them.
Read first: `contract.py`, what an encoder is; `loading.py` finds one by its name.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
