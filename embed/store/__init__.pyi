from .inspection import (
    DIGEST_BYTES as DIGEST_BYTES,
    ListedVideo as ListedVideo,
    StoreReport as StoreReport,
    digest_videos as digest_videos,
    find_copies as find_copies,
    inspect_embeddings as inspect_embeddings,
    list_embeddings as list_embeddings,
)
from .merging import merge_embeddings as merge_embeddings
from .parts import holds_path as holds_path, is_sharded as is_sharded, refuse_store_place as refuse_store_place
from .provenance import (
    EncoderIdentity as EncoderIdentity,
    Fidelity as Fidelity,
    Precision as Precision,
    Provenance as Provenance,
    Reduction as Reduction,
    Storage as Storage,
    describe_sampling as describe_sampling,
    hash_weights as hash_weights,
    library_versions as library_versions,
)
from .quantisation import (
    count_clipped as count_clipped,
    dequantise as dequantise,
    nearest_codes as nearest_codes,
    quantise as quantise,
)
from .reading import EmbeddingStore as EmbeddingStore, VideoVectors as VideoVectors, is_store as is_store
from .records import Failure as Failure, VideoRecord as VideoRecord, kept_location as kept_location
from .repair import RepairReport as RepairReport, repair_embeddings as repair_embeddings
from .tables import decode_text as decode_text
from .whole_files import (
    folder_beside as folder_beside,
    refusal_of as refusal_of,
    replaced_file as replaced_file,
)
from .writing import StoreWriter as StoreWriter, refuse_other_provenance as refuse_other_provenance
