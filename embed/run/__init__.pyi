from .config import EmbedConfig as EmbedConfig, EmbedSummary as EmbedSummary
from .encoder_choice import load_configured as load_configured
from .encoding import (
    Batch as Batch,
    EncodedVideo as EncodedVideo,
    encode_batches as encode_batches,
    fill_batches as fill_batches,
    vectors_of_videos as vectors_of_videos,
)
from .fidelity import measure_fidelity as measure_fidelity
from .log import RunListener as RunListener, as_stored as as_stored
from .pipeline import embed_videos as embed_videos
from .texts import (
    SHOWN_FAILURES as SHOWN_FAILURES,
    failures_text as failures_text,
    listed_text as listed_text,
    loss_text as loss_text,
    report_text as report_text,
    summary_text as summary_text,
    wrapped as wrapped,
)
