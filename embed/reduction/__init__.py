"""Shorter vectors: a PCA of a store's vectors, and stores whose vectors are reduced by it or to one byte a coefficient.

In: a store, or the matrices of YouTube-8M.
Out: `pca.safetensors`, which `load_encoder` applies behind an encoder; or a smaller store.
Read first: `pca.py` for the formula and the file.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
