from .found_labels import (
    INNERMOST as INNERMOST,
    OUTERMOST as OUTERMOST,
    FoundLabels as FoundLabels,
    file_labels as file_labels,
    folder_labels as folder_labels,
)
from .label_files import Columns as Columns, compose as compose
from .label_notes import (
    list_first as list_first,
    note_alike as note_alike,
    note_blanks as note_blanks,
    note_several as note_several,
    note_videos as note_videos,
)
from .label_text import SEPARATOR as SEPARATOR, is_utf_8 as is_utf_8
from .matching import VideoListing as VideoListing
from .part_folders import folder_part as folder_part, has_part_folders as has_part_folders
