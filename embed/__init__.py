"""Videos -> vectors: every video's frames, embedded once, in one HDF5 store.

    from embed import embed_videos, EmbeddingStore

    embed_videos(["videos/"], "embeddings.h5")
    video = EmbeddingStore("embeddings.h5").read("cooking/pancake.mp4")
    video.vectors, video.timestamps_s

Names load when they are first used, so `import embed` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embed.encoders.loading import Encoder as Encoder
    from embed.encoders.loading import TextEncoder as TextEncoder
    from embed.encoders.loading import load_encoder as load_encoder
    from embed.encoders.loading import load_text_encoder as load_text_encoder
    from embed.errors import EmbedError as EmbedError
    from embed.errors import StoreMismatch as StoreMismatch
    from embed.errors import VideoError as VideoError
    from embed.run.config import EmbedConfig as EmbedConfig
    from embed.run.config import EmbedSummary as EmbedSummary
    from embed.run.pipeline import embed_videos as embed_videos
    from embed.sources.videos import Video as Video
    from embed.sources.videos import find_videos as find_videos
    from embed.store import EmbeddingStore as EmbeddingStore
    from embed.store import Failure as Failure
    from embed.store import StoreWriter as StoreWriter
    from embed.store import VideoRecord as VideoRecord
    from embed.store.inspection import StoreReport as StoreReport
    from embed.store.inspection import inspect_embeddings as inspect_embeddings
    from embed.store.provenance import EncoderIdentity as EncoderIdentity
    from embed.store.provenance import Provenance as Provenance
    from embed.video.decoding import Frames as Frames
    from embed.video.decoding import read_frames as read_frames
    from embed.video.sampling import UniformFrames as UniformFrames

_HOME_OF = {
    "EmbedConfig": "run.config",
    "EmbedError": "errors",
    "EmbedSummary": "run.config",
    "EmbeddingStore": "store",
    "Encoder": "encoders.loading",
    "EncoderIdentity": "store.provenance",
    "Failure": "store",
    "Frames": "video.decoding",
    "Provenance": "store.provenance",
    "StoreMismatch": "errors",
    "StoreReport": "store.inspection",
    "StoreWriter": "store",
    "TextEncoder": "encoders.loading",
    "UniformFrames": "video.sampling",
    "Video": "sources.videos",
    "VideoError": "errors",
    "VideoRecord": "store",
    "embed_videos": "run.pipeline",
    "find_videos": "sources.videos",
    "inspect_embeddings": "store.inspection",
    "load_encoder": "encoders.loading",
    "load_text_encoder": "encoders.loading",
    "read_frames": "video.decoding",
}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
