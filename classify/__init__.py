"""Vectors and labels -> a classifier, in seconds.

    from classify import predict_videos, split_videos, train_head

    split_videos("embeddings.h5", "split.csv")
    report = train_head("embeddings.h5", "split.csv", "head/")
    predictions = predict_videos("head/", ["new_videos/"])

Names load when they are first used, so `import classify` costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
