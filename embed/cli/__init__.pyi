from .command import (
    GOES_ON as GOES_ON,
    LAST as LAST,
    STEP as STEP,
    Command as Command,
    CommandGroup as CommandGroup,
    FiniteRange as FiniteRange,
    as_line as as_line,
    as_typed as as_typed,
    echo as echo,
    option as option,
    output_options as output_options,
    show_next as show_next,
    show_notes as show_notes,
    typed_again as typed_again,
)
from .duplicates import find_duplicates as find_duplicates
from .embedding import embed_videos as embed_videos
from .inspecting import inspect_embeddings as inspect_embeddings
from .interchanging import export_yt8m as export_yt8m, import_yt8m as import_yt8m
from .joining import join_stores as join_stores
from .progress import ProgressBar as ProgressBar, counting_bar as counting_bar, print_failures as print_failures
from .reducing import fit_pca as fit_pca, reduce_store as reduce_store
