from .av1_headers import cut_last_frame as cut_last_frame
from .bitstreams import rule_for as rule_for
from .h264_references import stand_ins as stand_ins
from .marks import (
    DISPOSABLE as DISPOSABLE,
    ENTRY as ENTRY,
    HIDDEN as HIDDEN,
    LASTING as LASTING,
    LAYERED as LAYERED,
    OPEN as OPEN,
    PARAMETERS as PARAMETERS,
    PREDICTED as PREDICTED,
    PYRAMIDAL as PYRAMIDAL,
    SKIPPED as SKIPPED,
    TRAILED as TRAILED,
    UNPROVEN as UNPROVEN,
    Rule as Rule,
)
from .units import (
    heads_for as heads_for,
    join_h264_units as join_h264_units,
    parameter_units as parameter_units,
)
from .vpx_marks import marks_with_alpha as marks_with_alpha
