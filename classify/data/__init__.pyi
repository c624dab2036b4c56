from .copies import content_hashes as content_hashes, note_torn_copies as note_torn_copies
from .description import WHOLE as WHOLE, DatasetDescription as DatasetDescription, Spread as Spread
from .label_errors import (
    FOLDS as FOLDS,
    MOST_LABELS as MOST_LABELS,
    MOST_VIDEOS as MOST_VIDEOS,
    LabelCheck as LabelCheck,
    LabelDoubt as LabelDoubt,
    can_judge as can_judge,
    check_labels as check_labels,
)
from .label_sources import (
    SEPARATOR as SEPARATOR,
    VideoListing as VideoListing,
    compose as compose,
    has_part_folders as has_part_folders,
    list_first as list_first,
)
from .labels import (
    LabelConfig as LabelConfig,
    Labels as Labels,
    LabelTable as LabelTable,
    label_config as label_config,
    label_inputs as label_inputs,
    read_labels as read_labels,
)
from .split_files import (
    PARTS as PARTS,
    Split as Split,
    SplitSummary as SplitSummary,
    describe_gaps as describe_gaps,
    describe_split_file as describe_split_file,
    load_split as load_split,
    read_split as read_split,
)
from .split_labels import labels_of_split as labels_of_split, read_labelled_split as read_labelled_split
from .splits import (
    SplitConfig as SplitConfig,
    fold_table as fold_table,
    fold_videos as fold_videos,
    make_split as make_split,
    read_table as read_table,
    split_folds as split_folds,
    split_table as split_table,
    split_videos as split_videos,
)
