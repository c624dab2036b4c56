from .clip_sampling import (
    AUTO as AUTO,
    Clips as Clips,
    Windows as Windows,
    describe_sampling as describe_sampling,
    sampling_from_json as sampling_from_json,
)
from .codecs import ENTRY as ENTRY, PARAMETERS as PARAMETERS, UNPROVEN as UNPROVEN, Rule as Rule, rule_for as rule_for
from .containers import has_encryption as has_encryption, is_encrypted as is_encrypted
from .decoders import begins_in_doubt as begins_in_doubt
from .decoding import (
    DecodeDevice as DecodeDevice,
    Decoder as Decoder,
    frames_of as frames_of,
    read_frames as read_frames,
    shown_by_parts as shown_by_parts,
)
from .gathering import Frames as Frames, windows_of as windows_of
from .nvdec import read_frames_by_nvdec as read_frames_by_nvdec, why_no_gpu as why_no_gpu
from .opening import (
    open_container as open_container,
    open_video as open_video,
    refuse_playlist as refuse_playlist,
    whole_packets as whole_packets,
)
from .planning import Run as Run, plan_packets as plan_packets
from .preprocessing import (
    FrameCut as FrameCut,
    Kernel as Kernel,
    Preprocessing as Preprocessing,
    ResizeMode as ResizeMode,
)
from .sampling import (
    FramesPerSecond as FramesPerSecond,
    KeyFrames as KeyFrames,
    Sampling as Sampling,
    UniformFrames as UniformFrames,
    is_count as is_count,
)
from .timeline import (
    Packets as Packets,
    Timeline as Timeline,
    packet_row as packet_row,
    packets_of as packets_of,
    read_packets as read_packets,
    read_timeline as read_timeline,
)
from .views import (
    ALL_VIEWS as ALL_VIEWS,
    CENTRE as CENTRE,
    ViewCutter as ViewCutter,
    check_views as check_views,
    rows_by_view as rows_by_view,
)
