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
    from embed.decoding import Frames as Frames
    from embed.decoding import read_frames as read_frames
    from embed.encoders import Encoder as Encoder
    from embed.encoders import TextEncoder as TextEncoder
    from embed.encoders import load_encoder as load_encoder
    from embed.encoders import load_text_encoder as load_text_encoder
    from embed.errors import EmbedError as EmbedError
    from embed.errors import StoreMismatch as StoreMismatch
    from embed.errors import VideoError as VideoError
    from embed.inspection import StoreReport as StoreReport
    from embed.inspection import inspect_embeddings as inspect_embeddings
    from embed.pipeline import embed_videos as embed_videos
    from embed.provenance import EncoderIdentity as EncoderIdentity
    from embed.provenance import Provenance as Provenance
    from embed.run_config import EmbedConfig as EmbedConfig
    from embed.run_config import EmbedSummary as EmbedSummary
    from embed.sampling import UniformFrames as UniformFrames
    from embed.store import EmbeddingStore as EmbeddingStore
    from embed.store import Failure as Failure
    from embed.store import StoreWriter as StoreWriter
    from embed.store import VideoRecord as VideoRecord
    from embed.videos import Video as Video
    from embed.videos import find_videos as find_videos

_HOME_OF = {
    "EmbedConfig": "run_config",
    "EmbedError": "errors",
    "EmbedSummary": "run_config",
    "EmbeddingStore": "store",
    "Encoder": "encoders",
    "EncoderIdentity": "provenance",
    "Failure": "store",
    "Frames": "decoding",
    "Provenance": "provenance",
    "StoreMismatch": "errors",
    "StoreReport": "inspection",
    "StoreWriter": "store",
    "TextEncoder": "encoders",
    "UniformFrames": "sampling",
    "Video": "videos",
    "VideoError": "errors",
    "VideoRecord": "store",
    "embed_videos": "pipeline",
    "find_videos": "videos",
    "inspect_embeddings": "inspection",
    "load_encoder": "encoders",
    "load_text_encoder": "encoders",
    "read_frames": "decoding",
}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
