"""Videos -> vectors: every video's frames, embedded once, in one HDF5 store.

    from embed import embed_videos, EmbeddingStore

    embed_videos(["videos/"], "embeddings.h5")
    video = EmbeddingStore("embeddings.h5").read("cooking/pancake.mp4")
    video.vectors, video.timestamps_s

Names are loaded when they are first used, so `import embed` costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
