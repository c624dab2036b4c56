from .catalogue import (
    ENCODERS as ENCODERS,
    KnownEncoder as KnownEncoder,
    default_tag as default_tag,
    doubt_of_file as doubt_of_file,
    licence_of as licence_of,
)
from .contract import (
    BackgroundEncoder as BackgroundEncoder,
    Encoder as Encoder,
    PendingVectors as PendingVectors,
    ReadyVectors as ReadyVectors,
    SizedEncoder as SizedEncoder,
    TextEncoder as TextEncoder,
    begin_encoding as begin_encoding,
    suited_batch_size as suited_batch_size,
)
from .efficientnet_lite import class_layer as class_layer
from .foreseen import foresee_preprocessing as foresee_preprocessing, foresee_window as foresee_window
from .loading import (
    has_encoder as has_encoder,
    load_encoder as load_encoder,
    load_text_encoder as load_text_encoder,
    other_window as other_window,
    resolve_device as resolve_device,
)
from .reduced import reduce_encoder as reduce_encoder
from .tail_loading import load_tail as load_tail, outline_tail as outline_tail
from .tails import Tail as Tail
from .testing import frames_for as frames_for
from .torchvision_operators import declare_missing_operators as declare_missing_operators
