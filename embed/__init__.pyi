from .decode_pool import DecodeLimits as DecodeLimits
from .encoders import (
    Encoder as Encoder,
    Tail as Tail,
    TextEncoder as TextEncoder,
    has_encoder as has_encoder,
    load_encoder as load_encoder,
    load_tail as load_tail,
    load_text_encoder as load_text_encoder,
    outline_tail as outline_tail,
)
from .errors import (
    EmbedError as EmbedError,
    EncoderError as EncoderError,
    ReductionError as ReductionError,
    SourceError as SourceError,
    StoreError as StoreError,
    StoreMismatch as StoreMismatch,
    VideoError as VideoError,
)
from .interchange import (
    ExportSummary as ExportSummary,
    ImportConfig as ImportConfig,
    ImportSummary as ImportSummary,
    export_youtube8m as export_youtube8m,
    import_youtube8m as import_youtube8m,
    read_label_numbers as read_label_numbers,
)
from .joining import JoinReport as JoinReport, join_like as join_like, join_stores as join_stores
from .reduction import (
    Pca as Pca,
    PcaConfig as PcaConfig,
    find_pca as find_pca,
    fit_pca as fit_pca,
    read_pca as read_pca,
    reduce_store as reduce_store,
)
from .run import (
    EmbedConfig as EmbedConfig,
    EmbedSummary as EmbedSummary,
    RunListener as RunListener,
    embed_videos as embed_videos,
    load_configured as load_configured,
)
from .search import (
    Hit as Hit,
    SearchConfig as SearchConfig,
    SearchResult as SearchResult,
    Term as Term,
    VideoSearcher as VideoSearcher,
    example_term as example_term,
    parse_terms as parse_terms,
    search_store as search_store,
)
from .sources import Video as Video, find_videos as find_videos, hash_content as hash_content, is_remote as is_remote
from .store import (
    EmbeddingStore as EmbeddingStore,
    EncoderIdentity as EncoderIdentity,
    Failure as Failure,
    Provenance as Provenance,
    StoreReport as StoreReport,
    StoreWriter as StoreWriter,
    VideoRecord as VideoRecord,
    inspect_embeddings as inspect_embeddings,
)
from .video import (
    Clips as Clips,
    Frames as Frames,
    FramesPerSecond as FramesPerSecond,
    KeyFrames as KeyFrames,
    Preprocessing as Preprocessing,
    Sampling as Sampling,
    UniformFrames as UniformFrames,
    Windows as Windows,
    read_frames as read_frames,
)
