from .duplicates import (
    DuplicateGroup as DuplicateGroup,
    Duplicates as Duplicates,
    find_duplicates as find_duplicates,
    refuse_duplicates_file as refuse_duplicates_file,
    write_duplicates as write_duplicates,
)
from .imagenet_words import has_imagenet_words as has_imagenet_words
from .near_duplicates import (
    SIMILARITY as SIMILARITY,
    NearDuplicates as NearDuplicates,
    find_near_duplicates as find_near_duplicates,
    to_unit_length as to_unit_length,
)
from .searching import (
    SearchConfig as SearchConfig,
    SearchResult as SearchResult,
    VideoSearcher as VideoSearcher,
    search_store as search_store,
)
from .spans import Hit as Hit
from .terms import Term as Term, example_term as example_term, parse_terms as parse_terms, read_picture as read_picture
