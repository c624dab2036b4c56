from .allocation import keep_freed_memory as keep_freed_memory
from .background import DaemonThreads as DaemonThreads, in_background as in_background
from .cores import core_count as core_count
from .counting import counted as counted, size_text as size_text
from .isolation import read_apart as read_apart, reading_limit_s as reading_limit_s
from .locked_folders import (
    make_locked_folder as make_locked_folder,
    temporary_folder as temporary_folder,
)
from .outputs import (
    OutputError as OutputError,
    address_refused as address_refused,
    is_left_over as is_left_over,
    is_too_long as is_too_long,
    prove_writable as prove_writable,
    refuse_output as refuse_output,
    remedy_for as remedy_for,
    written_when as written_when,
)
from .progress import HINTS as HINTS, Progress as Progress, Stage as Stage, StageClock as StageClock, slowest as slowest
from .regular_files import (
    open_regular as open_regular,
    read_regular as read_regular,
    real_path as real_path,
    require_regular as require_regular,
)
from .shown_text import (
    columns_of as columns_of,
    cut_columns as cut_columns,
    fold as fold,
    operand as operand,
    pad_left as pad_left,
    pad_right as pad_right,
    shell_word as shell_word,
    shown as shown,
)
from .video_suffixes import VIDEO_SUFFIXES as VIDEO_SUFFIXES
