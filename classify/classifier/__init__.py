"""Trained heads in use: saved, loaded, predicting, exported.

In: a head folder, and new videos or a store.
Out: `VideoClassifier`, `Predictions`, an ONNX file; `VideoHeadClassifier`, an estimator of scikit-learn for arrays.
Read first: `classifier.py`, which lists the files of a head folder; then `prediction.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
