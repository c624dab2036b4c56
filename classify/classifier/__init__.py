"""A trained head that is used: saved, loaded, predicting, exported.

In: a head folder, and new videos or a store.
Out: `VideoClassifier`, `Predictions`, an ONNX file; `VideoHeadClassifier` for arrays, as scikit-learn has it.
Read first: `classifier.py`, which says what a head folder holds; then `prediction.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
